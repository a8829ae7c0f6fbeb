import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { DEFAULT_POLICY, policySchema } from '../../projects/projects.ts';

const page = readFileSync(new URL('../../../docs/projects.md', import.meta.url), 'utf8');
const sectionOf = (title: string) => page.split(/^## /m).find((section) => section.startsWith(title)) ?? '';

it('docs/projects.md lists every field of a policy, and no other', () => {
  const rows = [...sectionOf('Policy').matchAll(/^\| (`\w+`(?:, `\w+`)*) \|/gm)];
  const listed = rows.flatMap(([, cell = '']) => [...cell.matchAll(/\w+/g)].map(([field]) => field));
  expect(listed.sort()).toEqual(Object.keys(policySchema.shape).sort());
});

it('docs/projects.md tells the defaults that are plain values', () => {
  const rows = [...sectionOf('Policy').matchAll(/^\| `(\w+)` \| `?([^|`]+?)`? \|/gm)];
  const told = new Map(rows.map(([, field, value]) => [field, value]));
  const plain = Object.entries(DEFAULT_POLICY).filter(
    ([field, value]) => (typeof value === 'number' || typeof value === 'boolean') && told.has(field),
  );
  expect(plain.length).toBeGreaterThan(10);
  for (const [field, value] of plain) expect([field, told.get(field)]).toEqual([field, String(value)]);
});

it('docs/projects.md names every route of projects', () => {
  const routes = sectionOf('HTTP');
  for (const route of [
    '/v1/projects',
    '/tokens',
    '/updates',
    '/v1/updates/:id/runs',
    '/v1/updates/:id/cancel',
    '/v1/updates/:id/events',
    '/versions/:no/diff',
    '/versions/:no/archive',
    '/versions/:no/recommendations',
    '/versions/:no/restore',
    '/session/reset',
    '/session/compact',
    '/session/audit',
    '/v1/metrics/resume',
    '/update-project',
    '/v1/create-preview-for-new-project',
  ])
    expect(routes).toContain(route);
});
