import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { REFUSALS } from '../webhook/webhook.ts';
import { PROBLEMS } from './problems.ts';
import { UPDATE_ERRORS } from './projects/update-errors.ts';

const [, webhook = '', others = '', updates = ''] = readFileSync(
  new URL('../../docs/errors.md', import.meta.url),
  'utf8',
).split(/^## /m);

/** `status code` of each row; a row may list several codes. */
function rowsOf(section: string): string[] {
  return [...section.matchAll(/^\| (\d{3}) \| (.+?) \|/gm)]
    .flatMap(([, status, codes = '']) =>
      [...codes.matchAll(/`(\w+)`/g)].map(([, code]) => `${status} ${code}`),
    )
    .sort();
}

describe('docs/errors.md lists every code with its status, and no other', () => {
  it.each([
    ['of the webhook', webhook, REFUSALS],
    ['of everything else', others, PROBLEMS],
  ])('%s', (_title, section, table) => {
    const codes = Object.entries(table).map(([code, { status }]) => `${status} ${code}`);
    expect(rowsOf(section)).toEqual(codes.sort());
  });

  it('of updates, with whether to try again', () => {
    const rows = [...updates.matchAll(/^\| `(\w+)` \| (yes|no) \|/gm)].map(
      ([, code, again]) => `${code} ${again}`,
    );
    const codes = Object.entries(UPDATE_ERRORS).map(
      ([code, { retryable }]) => `${code} ${retryable ? 'yes' : 'no'}`,
    );
    expect(rows.sort()).toEqual(codes.sort());
  });
});
