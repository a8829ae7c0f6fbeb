import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** Seconds; from a hot turn on a local model to a long one with tools. */
const TURN_BUCKETS = [0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 180];

/** Seconds; a project's update takes from one to many minutes. */
const UPDATE_BUCKETS = [0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1_200, 3_600];

/** Every metric of the server, in one registry of its own. Labels are closed sets: never a room, a user or an id. */
export type Metrics = ReturnType<typeof makeMetrics>;

export function makeMetrics() {
  const registry = new Registry();
  const registers = [registry];
  const counter = (name: string, help: string, labelNames: string[] = []) =>
    new Counter({ name, help, labelNames, registers });
  const gauge = (name: string, help: string, labelNames: string[] = []) =>
    new Gauge({ name, help, labelNames, registers });
  const histogram = (name: string, help: string, labelNames: string[] = []) =>
    new Histogram({ name, help, labelNames, registers, buckets: TURN_BUCKETS });
  const longHistogram = (name: string, help: string) =>
    new Histogram({ name, help, registers, buckets: UPDATE_BUCKETS });
  return {
    registry,
    /** The process's own figures sample on a timer-free hook; called once by the app. */
    collectProcess: () => collectDefaultMetrics({ register: registry }),
    webhooks: counter('firekeeper_webhooks_total', 'Webhooks by answered status and reason', [
      'status',
      'reason',
    ]),
    lateMessages: counter(
      'firekeeper_late_messages_total',
      'Messages found that no webhook had brought, by what became of them',
      ['outcome'],
    ),
    overloads: counter(
      'firekeeper_overloaded_total',
      'Messages that were not taken in because there were too many: of a user, room, bot or conversation, or waiting in all',
      ['limit'],
    ),
    messageIdsReused: counter(
      'firekeeper_message_id_reused_total',
      'Message ids seen again with another author or text',
    ),
    turns: counter('firekeeper_turns_total', 'Turns by tier, start and outcome', [
      'tier',
      'start',
      'outcome',
    ]),
    turnSeconds: histogram('firekeeper_turn_seconds', 'Prompt sent to turn ended', ['tier']),
    firstTextSeconds: histogram('firekeeper_first_text_seconds', 'Message claimed to first text', ['tier']),
    openSeconds: histogram('firekeeper_open_seconds', 'Turn begun to agent ready', ['tier', 'start']),
    costUsd: counter('firekeeper_cost_usd_total', 'Cost of all attempts in US dollars', ['bot']),
    tokens: counter('firekeeper_tokens_total', 'Tokens of all attempts', ['kind']),
    memoryAtRisk: counter(
      'firekeeper_memory_at_risk_total',
      'Turns whose transcript did not reach the store whole',
    ),
    agents: gauge('firekeeper_agents', 'Live agent processes'),
    agentStarts: counter('firekeeper_agent_starts_total', 'Agent process starts by kind and result', [
      'kind',
      'result',
    ]),
    evictions: counter('firekeeper_evictions_total', 'Idle agents ended for room, by reason', ['reason']),
    familiesReaped: counter(
      'firekeeper_families_reaped_total',
      'Agent families of an earlier server ended at start',
    ),
    inboxWaiting: gauge('firekeeper_inbox_waiting', 'Accepted messages that wait for a turn'),
    posts: counter('firekeeper_posts_total', 'Sends of replies by outcome', ['outcome']),
    mayBeDouble: counter(
      'firekeeper_posts_may_be_double_total',
      'Replies sent again without a way to read back',
    ),
    fencedOut: counter('firekeeper_fenced_out_total', 'Writes refused because their lease was lost'),
    updates: counter('firekeeper_project_updates_total', 'Ended project updates by kind and status', [
      'kind',
      'status',
    ]),
    updateSeconds: longHistogram('firekeeper_project_update_seconds', 'Project update claimed to ended'),
    updateWaitSeconds: longHistogram(
      'firekeeper_project_update_wait_seconds',
      'Project update queued to claimed',
    ),
    resumeDecisions: counter(
      'firekeeper_project_resume_decisions_total',
      'Whether project updates resumed a session, by reason',
      ['reason'],
    ),
    projectRuns: counter(
      'firekeeper_project_runs_total',
      'Agent runs of project updates by purpose and outcome',
      ['purpose', 'outcome'],
    ),
    retentionDeleted: counter(
      'firekeeper_retention_deleted_total',
      'Rows older than RETENTION_DAYS deleted',
      ['kind'],
    ),
  };
}
