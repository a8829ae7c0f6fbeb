import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { ResumeArm, ResumeReport } from '../../projects/projects.ts';
import { sendProblem } from '../problems.ts';
import { toIso } from '../wire.ts';
import type { Door } from './project-routes.ts';
import type { Caller } from './who-asks.ts';

const DEFAULT_MS = 30 * 24 * 60 * 60 * 1_000;

const interval = z.object({ median: z.number(), low: z.number(), high: z.number() });
const arm = z.object({
  count: z.int(),
  without_cost: z.int().describe('Left out of the medians of cost'),
  median_cost_usd: z.number().nullable(),
  median_tokens: z.number().nullable(),
  median_to_commit_ms: z.number().nullable(),
  fix_turns: z.int(),
  restored_away: z.int().describe('Undone by a restore within a day'),
});

const reportBody = z.object({
  from: z.iso.datetime(),
  to: z.iso.datetime(),
  project_id: z.string().nullable(),
  updates: z.int(),
  attempted: z.int().describe('Decided to resume, and a process was started'),
  accepted: z.int().describe('The resumed run answered, on a session that descends from its parent'),
  useful: z.int().describe('Accepted, and completed without falling back'),
  fell_back: z.int(),
  failed: z.int(),
  accepted_share: z.number().nullable(),
  useful_share: z.number().nullable(),
  fresh_by: z.record(z.string(), z.int()).describe('Decided fresh, by reason: no failures of resuming'),
  resume: arm,
  holdout: arm,
  saved: z
    .discriminatedUnion('kind', [
      z.object({
        kind: z.literal('measured'),
        cost_usd: interval.nullable(),
        time_ms: interval.nullable(),
      }),
      z.object({ kind: z.literal('insufficient data'), needed: z.int().describe('Updates in each arm') }),
    ])
    .describe('Median of the holdout minus median of the resume arm; negative: resuming costs more'),
});

const instant = z.iso.datetime({ offset: true }).transform((text) => Date.parse(text));

const route = {
  schema: {
    summary: 'How resuming fared',
    querystring: z.object({
      from: instant.optional().describe('Without it: 30 days before `to`'),
      to: instant.optional().describe('Without it: now'),
      project_id: z.string().min(1).optional().describe("Without it: all; a token's is its own"),
    }),
    response: { 200: reportBody },
  },
};

export function resumeReportRoutes({ projects, who, clock }: Door): FastifyPluginAsyncZod {
  return async (scope) => {
    scope.get('/v1/metrics/resume', route, async (request, reply) => {
      const { query } = request;
      const wanted = query.project_id ?? ownProject(who.callerOf(request));
      const project = wanted === null ? null : await who.findProject(request, wanted);
      if (wanted !== null && project === null) return sendProblem(reply, 'unknown_project');
      const to = query.to ?? clock.now();
      const from = query.from ?? to - DEFAULT_MS;
      if (from > to) return sendProblem(reply, 'invalid_fields', '`from` is later than `to`');
      const id = project?.id ?? null;
      const report = await projects.report(id, from, to);
      return { from: toIso(from), to: toIso(to), project_id: id, ...toReportBody(report) };
    });
  };
}

function ownProject(caller: Caller): string | null {
  return caller.kind === 'token' ? caller.token.projectId : null;
}

function toReportBody(report: ResumeReport) {
  const { attempted, accepted, useful, saved } = report;
  return {
    updates: report.updates,
    attempted,
    accepted,
    useful,
    fell_back: report.fellBack,
    failed: report.failed,
    accepted_share: attempted === 0 ? null : accepted / attempted,
    useful_share: attempted === 0 ? null : useful / attempted,
    fresh_by: toCounts(report.freshBy),
    resume: toArmBody(report.resume),
    holdout: toArmBody(report.holdout),
    saved:
      saved.kind === 'measured'
        ? { kind: saved.kind, cost_usd: saved.costUsd, time_ms: saved.timeMs }
        : { kind: saved.kind, needed: saved.needed },
  };
}

function toCounts(counts: ResumeReport['freshBy']): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).map(([reason, count]) => [reason, count ?? 0]));
}

function toArmBody(of: ResumeArm): z.input<typeof arm> {
  return {
    count: of.count,
    without_cost: of.withoutCost,
    median_cost_usd: of.medianCostUsd,
    median_tokens: of.medianTokens,
    median_to_commit_ms: of.medianToCommitMs,
    fix_turns: of.fixTurns,
    restored_away: of.restoredAway,
  };
}
