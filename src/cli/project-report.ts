import { type Command, UsageError } from './command.ts';
import { withServer } from './operator.ts';
import { toTable } from './present.ts';
import { findProject } from './project-address.ts';
import { askOrFail } from './server-client.ts';

/** The report as the server tells it. */
type Arm = {
  readonly count: number;
  readonly without_cost: number;
  readonly median_cost_usd: number | null;
  readonly median_tokens: number | null;
  readonly median_to_commit_ms: number | null;
  readonly fix_turns: number;
  readonly restored_away: number;
};
type Interval = { readonly median: number; readonly low: number; readonly high: number };
type Report = {
  readonly from: string;
  readonly to: string;
  readonly updates: number;
  readonly attempted: number;
  readonly accepted: number;
  readonly useful: number;
  readonly fell_back: number;
  readonly failed: number;
  readonly fresh_by: Readonly<Record<string, number>>;
  readonly resume: Arm;
  readonly holdout: Arm;
  readonly saved:
    | { readonly kind: 'measured'; readonly cost_usd: Interval | null; readonly time_ms: Interval | null }
    | { readonly kind: 'insufficient data'; readonly needed: number };
};

export const projectReport: Command = {
  name: 'project report',
  usage: '[ID] [--from TIME] [--to TIME]',
  summary: 'Tells how resuming sessions fared, beside starting fresh.',
  help: [
    'ID  of a project, or its name; without it, of all',
    '--from TIME  such as 2026-01-31 or 2026-01-31T12:00:00Z (default: 30 days before --to)',
    '--to TIME  (default: now)',
  ],
  options: { from: { type: 'string' }, to: { type: 'string' } },
  positionals: 1,

  async run({ positionals, texts, flags }, deps) {
    const query = new URLSearchParams();
    for (const name of ['from', 'to']) {
      const text = texts.get(name);
      if (text !== undefined) query.set(name, readTime(text, name));
    }
    const report = (await withServer(deps, async (server) => {
      const [given] = positionals;
      if (given !== undefined) query.set('project_id', (await findProject(server, given)).id);
      return askOrFail(server.ask, { method: 'GET', path: `/v1/metrics/resume?${query}` });
      // The routes' own schemas are checked where they are made.
    })) as Report;
    if (flags.has('json')) deps.out(JSON.stringify({ ok: true, report }));
    else deps.out(toText(report));
    return 0;
  },
};

function readTime(text: string, name: string): string {
  const time = Date.parse(text);
  if (Number.isNaN(time)) throw new UsageError(`--${name} is a time such as 2026-01-31T12:00:00Z`);
  return new Date(time).toISOString();
}

function toText(report: Report): string {
  const { attempted, resume, holdout } = report;
  const facts = toTable([
    ['From', `${report.from} to ${report.to}`],
    ['Updates', String(report.updates)],
    ['Resumes', `${attempted} attempted`],
    ['Accepted', toShare(report.accepted, attempted)],
    ['Useful', toShare(report.useful, attempted)],
    ['Fell back', toShare(report.fell_back, attempted)],
    ['Failed', toShare(report.failed, attempted)],
    ...Object.entries(report.fresh_by).map(([reason, count]) => ['Fresh', `${count} ${reason}`]),
  ]);
  const arms = toTable([
    ['', 'UPDATES', 'NO COST', 'COST', 'TOKENS', 'TO COMMIT', 'FIX TURNS', 'RESTORED AWAY'],
    ['resumed', ...toCells(resume)],
    ['holdout', ...toCells(holdout)],
  ]);
  return [facts, '', 'Medians', arms, '', toSaved(report.saved)].join('\n');
}

function toCells(arm: Arm): string[] {
  return [
    String(arm.count),
    String(arm.without_cost),
    arm.median_cost_usd === null ? '-' : `$${arm.median_cost_usd.toFixed(4)}`,
    arm.median_tokens === null ? '-' : String(Math.round(arm.median_tokens)),
    arm.median_to_commit_ms === null ? '-' : `${(arm.median_to_commit_ms / 1_000).toFixed(1)} s`,
    String(arm.fix_turns),
    String(arm.restored_away),
  ];
}

function toShare(count: number, all: number): string {
  return all === 0 ? String(count) : `${count} of ${all} (${((100 * count) / all).toFixed(1)} %)`;
}

function toSaved(saved: Report['saved']): string {
  if (saved.kind === 'insufficient data')
    return `What resuming saves cannot be said: each arm needs ${saved.needed} updates (policy: holdout_percent).`;
  const lines = [
    saved.cost_usd === null ? null : toSaving(saved.cost_usd, (cost) => `$${cost.toFixed(4)}`),
    saved.time_ms === null ? null : toSaving(saved.time_ms, (ms) => `${(ms / 1_000).toFixed(1)} s`),
  ];
  return lines.filter((line) => line !== null).join('\n');
}

function toSaving({ median, low, high }: Interval, show: (value: number) => string): string {
  const what = median < 0 ? `Resuming costs ${show(-median)} more` : `Resuming saves ${show(median)}`;
  return `${what} an update (95 %: ${show(low)} to ${show(high)}).`;
}
