/** The whole server inside the test's own process, where a test needs to choose the time. */
import { onTestFinished } from 'vitest';
import type { AppDeps } from '../../src/app/ground.ts';
import { type App, makeApp } from '../../src/app.ts';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { readConfig } from '../../src/config.ts';
import { makeLog } from '../../src/telemetry/log.ts';
import { ROOT } from '../setup/root.ts';
import { makeTempFolder } from '../setup/temp.ts';
import { DAVID, type TestMessage, waitFor } from './server.ts';

export type MovableClock = Clock & {
  /** Moves the time of day; timers go on as they were. */
  set(instant: number): void;
};

/** The system's clock with another time of day, which goes on from `start`. */
export function makeMovableClock(start: number): MovableClock {
  let ahead = start - systemClock.now();
  return {
    ...systemClock,
    now: () => systemClock.now() + ahead,
    set(instant) {
      ahead = instant - systemClock.now();
    },
  };
}

export type TestApp = App & {
  say(room: string, text: string, user?: { readonly id: number; readonly name: string }): Promise<Response>;
  /** The bots' messages of a room, once there are `count` of them. */
  replies(room: string, count: number): Promise<readonly TestMessage[]>;
};

type StartOptions = Partial<AppDeps> & {
  readonly clock: Clock;
  readonly env?: Readonly<Record<string, string>>;
};

export async function startApp({ env: given, ...deps }: StartOptions): Promise<TestApp> {
  const env = {
    PATH: process.env.PATH ?? '',
    DATA_DIR: makeTempFolder(),
    PORT: '0',
    ADMIN_TOKEN: 'admin-token-of-the-test',
    ...given,
  };
  const { config } = readConfig(env, ROOT);
  const app = await makeApp(config, {
    log: makeLog({ level: 'fatal', pretty: false }),
    ...deps,
  });
  onTestFinished(() => app.stop());

  async function repliesSoFar(room: string): Promise<readonly TestMessage[]> {
    const answer = await fetch(`${app.address}/local/rooms/${room}/messages`, {
      headers: { authorization: `Bearer ${env.ADMIN_TOKEN}` },
    });
    const { messages } = (await answer.json()) as { messages: readonly TestMessage[] };
    return messages.filter(({ author }) => author.is_bot);
  }
  return {
    ...app,
    say: (room, text, user = DAVID) =>
      fetch(`${app.address}/webhook`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ creator: user, room: { id: room, name: `Room ${room}` }, content: text }),
      }),
    replies: (room, count) =>
      waitFor(
        async () => {
          const found = await repliesSoFar(room);
          return found.length >= count ? found : null;
        },
        { otherwise: () => `fewer than ${count} replies in room ${room}` },
      ),
  };
}
