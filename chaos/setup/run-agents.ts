import { systemClock } from '../../src/base/clock.ts';
import { findLeftProcesses } from '../../test/setup/left-processes.ts';
import { exactly, type Finding, judged, told } from './report.ts';
import { type Sample, slopePerThousand } from './slope.ts';
import { inParallel, openWorld, seeded } from './world.ts';

export type AgentsRun = {
  readonly turns: number;
  readonly conversations: number;
  readonly atOnce: number;
  /** A random live agent is killed so often. */
  readonly killEveryMs: number;
  /** Turns before which the server's memory is not measured: caches fill, code is compiled. */
  readonly warmUp: number;
  /** Most growth that is let pass, MB for each 1,000 turns; null: told, not judged. */
  readonly mostGrowth: number | null;
  readonly seed: number;
};

/** It is forgotten after so many: its process reads back, and asks, all of them. */
const TURNS_OF_A_CONVERSATION = 20;

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
  const rss: Sample[] = [];
  let asked = 0;
  async function ask(room: string, turn: number): Promise<void> {
    const mark = `mark-${room}-${turn}-end`;
    const { reply } = await world.ask(room, mark);
    asked += 1;
    if (asked > run.warmUp) rss.push({ at: asked, value: process.memoryUsage().rss / 1024 / 1024 });
    const marks = reply.match(/mark-room-\d+-\d+-end/g) ?? [];
    if (marks.length === 0) notices += 1;
    else if (marks[0] !== mark || marks.some((found) => !found.startsWith(`mark-${room}-`))) wrong.push(mark);
  }

  try {
    await inParallel(rooms, run.atOnce, async (room) => {
      for (let turn = 0; turn < each; turn++) {
        if (turn > 0 && turn % TURNS_OF_A_CONVERSATION === 0) await world.forget(room);
        await ask(room, turn);
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
      judged('growth of RSS, MB per 1,000 turns', slopePerThousand(rss), run.mostGrowth),
      told('RSS at the end, MB', Math.round(rss.at(-1)?.value ?? 0)),
    ];
  } finally {
    stopKilling();
    await world.close();
  }
}
