import { systemClock } from '../../src/base/clock.ts';
import { findLeftProcesses } from '../../test/setup/left-processes.ts';
import { exactly, type Finding, told } from './report.ts';
import { inParallel, openWorld, seeded } from './world.ts';

export type AgentsRun = {
  readonly turns: number;
  readonly conversations: number;
  readonly atOnce: number;
  /** A random live agent is killed so often. */
  readonly killEveryMs: number;
  readonly seed: number;
};

/** Replies quote the message that they answer, so a reply in a wrong room, or one turn behind, shows. */
export async function runAgents(run: AgentsRun): Promise<readonly Finding[]> {
  const world = await openWorld({ MAX_HOT_SESSIONS: '12', SPARE_AGENTS: '0', REWARM_SESSIONS: '0' });
  const random = seeded(run.seed);
  let kills = 0;
  const stopKilling = systemClock.every(run.killEveryMs, () => void killOne());
  async function killOne(): Promise<void> {
    const census = await world.app.parts.agents.census();
    const victim = census[Math.floor(random() * census.length)];
    if (victim === undefined) return;
    try {
      process.kill(victim.pid, 'SIGKILL');
      kills += 1;
    } catch {
      // It was gone already.
    }
  }

  const rooms = Array.from({ length: run.conversations }, (_, index) => `room-${index}`);
  const each = Math.ceil(run.turns / run.conversations);
  const wrong: string[] = [];
  let notices = 0;
  const rss: { turn: number; mb: number }[] = [];
  let asked = 0;
  try {
    await inParallel(rooms, run.atOnce, async (room) => {
      for (let turn = 0; turn < each; turn++) {
        const mark = `mark-${room}-${turn}-end`;
        const { reply } = await world.ask(room, mark);
        asked += 1;
        rss.push({ turn: asked, mb: process.memoryUsage().rss / 1024 / 1024 });
        const marks = reply.match(/mark-room-\d+-\d+-end/g) ?? [];
        if (marks.length === 0) notices += 1;
        else if (marks[0] !== mark || marks.some((found) => !found.startsWith(`mark-${room}-`)))
          wrong.push(mark);
      }
    });
    stopKilling();
    const counts = await world.app.parts.store.inbox.counts();
    await world.app.parts.sessions.closeAll();
    const left = await findLeftProcesses(world.dataDir);
    return [
      told('turns asked', asked),
      told('agents killed', kills),
      told('seed', run.seed),
      exactly('messages without an end', counts.waiting + counts.running, 0),
      exactly('replies in a wrong room or a turn behind', wrong.length, 0),
      told('messages given up after three attempts, with a notice', notices),
      exactly('members of a family left at the end', left.length, 0),
      told(
        'growth of the server, MB per 1,000 turns, second half',
        slope(rss.slice(rss.length / 2)).toFixed(1),
      ),
    ];
  } finally {
    stopKilling();
    await world.close();
  }
}

/** Least squares: megabytes for each thousand turns. */
function slope(points: readonly { turn: number; mb: number }[]): number {
  const meanTurn = points.reduce((sum, { turn }) => sum + turn, 0) / points.length;
  const meanMb = points.reduce((sum, { mb }) => sum + mb, 0) / points.length;
  const above = points.reduce((sum, { turn, mb }) => sum + (turn - meanTurn) * (mb - meanMb), 0);
  const below = points.reduce((sum, { turn }) => sum + (turn - meanTurn) ** 2, 0);
  return below === 0 ? 0 : (above / below) * 1_000;
}
