import type { AddressInfo } from 'node:net';
import { type Agents, probeSandbox } from './agent/agent.ts';
import type { OfflineModel } from './agent/offline/offline-model.ts';
import { buildArrival } from './app/arrival.ts';
import { buildEngine, endpointOf, rewarmSome } from './app/engine.ts';
import { buildHttp } from './app/front-doors.ts';
import { type AppDeps, type Closers, closeAll, type Ground } from './app/ground.ts';
import { chatNameOf, openBots, openChat, openStore, startRetention } from './app/open-parts.ts';
import { buildProjects } from './app/projects.ts';
import type { makeBus } from './base/bus.ts';
import { type Clock, within } from './base/clock.ts';
import { toError } from './base/errors.ts';
import type { Bots } from './bots/bots.ts';
import { warmRenderer } from './chat/render.ts';
import type { Config } from './config.ts';
import type { Projects } from './projects/projects.ts';
import type { Queue } from './queue/queue.ts';
import type { Sessions } from './session/session.ts';
import type { Store } from './store/store.ts';
import { makeMetrics } from './telemetry/metrics.ts';
import type { Log, Telemetry } from './telemetry/telemetry.ts';
import type { TurnEvent } from './turn/turn.ts';

const SWEEP_MS = 60_000;

/** When what waited for the start has its agents. */
const WARM_AFTER_MS = 3_000;

/** What a turn that was interrupted at the end of the drain may take to end by itself. */
const INTERRUPT_MS = 500;

/** After the drain, for replies that are owed to go out. */
const LAST_REPLIES_MS = 500;

export type App = {
  /** Where it listens, such as `http://127.0.0.1:5000`. */
  readonly address: string;
  /** A single-use login code for the page. */
  loginCode(): string;
  /** The parts, for tests and benchmarks. */
  readonly parts: {
    readonly agents: Agents;
    readonly store: Store;
    readonly bots: Bots;
    readonly sessions: Sessions;
    readonly queue: Queue;
    readonly projects: Projects;
    readonly telemetry: Telemetry;
  };
  /** What happens in turns, as it happens. */
  readonly turnEvents: ReturnType<typeof makeBus<TurnEvent>>;
  readonly offlineModel: OfflineModel | null;
  /** Finishes what runs (up to `DRAIN_SECONDS`), ends every family, closes everything. Sessions stay. */
  stop(): Promise<void>;
};

/** Starts the server; resolves when it listens. Whatever fails, nothing stays open. */
export async function makeApp(config: Config, deps: AppDeps): Promise<App> {
  const closers: Closers = [];
  try {
    return await build(config, { ...deps, closers });
  } catch (error) {
    await closeAll(closers);
    throw error;
  }
}

async function build(config: Config, ground: Ground): Promise<App> {
  const { clock, closers, log } = ground;
  const telemetry: Telemetry = { log, metrics: makeMetrics() };
  const [{ store, lock }, sandbox] = await Promise.all([
    openStore(config, { ...ground, telemetry }),
    probeSandbox(config.agentEnv.PATH ?? ''),
  ]);
  const bots = await openBots(config, ground, sandbox);
  const { chat, rooms, roomEvents } = await openChat(config, { ...ground, telemetry, store, bots });
  const offlineModel = await startOfflineModel(config, clock);
  closers.push(() => offlineModel?.close());
  const parts = { ...ground, telemetry, store, bots, chat, offlineModel, sandbox };
  const engine = await buildEngine(config, parts);
  const { agents, sessions, sender, queue, turnEvents } = engine;
  const projects = buildProjects(config, engine, parts);

  let draining = false;
  const { http, login, catchUp } = await buildHttp(config, {
    ...engine,
    ...buildArrival(config, engine, parts),
    telemetry,
    clock,
    store,
    bots,
    chat,
    rooms,
    roomEvents,
    projects,
    isDraining: () => draining,
  });
  closers.push(() => http.close());
  await Promise.all([http.ready(), engine.reaped]);
  await http.listen({ host: config.host, port: config.port });
  const { port } = http.server.address() as AddressInfo;
  const address = `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${port}`;
  await lock.announce(address);
  telemetry.metrics.collectProcess();
  queue.start();
  // The spares come after what is resumed.
  void rewarmSome(config, { store, bots, sessions, queue, log }).then(() => sweep(sessions, log));
  sender.start();
  projects.start();
  catchUp.start();
  closers.push(catchUp.close);
  closers.push(clock.every(SWEEP_MS, () => void sweep(sessions, log)));
  startRetention(config, { ...ground, telemetry, store, bots });
  closers.push(clock.after(WARM_AFTER_MS, warmRenderer));

  return {
    address,
    loginCode: login.codes.issue,
    parts: { store, bots, agents, sessions, queue, projects, telemetry },
    turnEvents,
    offlineModel,
    async stop() {
      draining = true;
      const drained = Promise.all([queue.drain(config.drainMs), projects.drain(config.drainMs)]);
      // An agent that ignores its interrupt does not hold up the stop: closing it ends its turn.
      await within(clock, config.drainMs + INTERRUPT_MS, drained);
      await sessions.closeAll();
      await drained;
      await sender.drain(LAST_REPLIES_MS);
      await closeAll(closers);
    },
  };
}

/** Loaded where it is used: whoever has a model does not wait for another one. */
async function startOfflineModel(config: Config, clock: Clock): Promise<OfflineModel | null> {
  if (config.model.kind !== 'offline') return null;
  const offline = await import('./agent/offline/offline-model.ts');
  return offline.startOfflineModel({ clock });
}

/** What it could not do, the next one tries again. */
async function sweep(sessions: Sessions, log: Log): Promise<void> {
  await sessions
    .sweep()
    .catch((error) => log.error({ error: toError(error).message }, 'idle agents could not be looked after'));
}

export { chatNameOf, endpointOf, openStore };
