import { accessSync, constants } from 'node:fs';
import { type Clock, within } from '../base/clock.ts';
import { toError, unreachable } from '../base/errors.ts';
import type { Config } from '../config.ts';
import type { ChatProbe } from './doctor-agent.ts';
import { type Check, codeOf } from './doctor-checks.ts';

const CAMPFIRE_LIMIT_MS = 10_000;

/** Campfire's own files, where they are configured. */
export function checkCampfireFiles(config: Config): readonly Check[] {
  const paths = { CAMPFIRE_DB_PATH: config.campfireDbPath, CAMPFIRE_FILES_PATH: config.campfireFilesPath };
  return Object.entries(paths).flatMap(([name, path]): Check[] => {
    if (path === null) return [];
    try {
      accessSync(path, constants.R_OK);
      return [{ name, state: 'ok', detail: `${path} is readable`, advice: null }];
    } catch (error) {
      const advice = `Mount it and let the user that runs Firekeeper read it, or leave ${name} unset.`;
      return [{ name, state: 'failed', detail: `${path}: ${codeOf(error)}`, advice }];
    }
  });
}

/** Any answer below 500 is Campfire's web server; redirects (to its login page) are not followed. */
export async function checkCampfire(config: Config, clock: Clock): Promise<Check> {
  const name = 'Campfire';
  const url = config.campfireUrl;
  if (url === null) {
    const detail = 'not configured: the server is its own chat';
    return { name, state: 'ok', detail, advice: 'To answer in Campfire, set CAMPFIRE_URL.' };
  }
  const status = await statusOf(url, clock);
  const failed = (detail: string, advice: string): Check => ({ name, state: 'failed', detail, advice });
  if (typeof status === 'string') {
    return failed(`${url}: ${status}`, 'Check CAMPFIRE_URL, and that this machine reaches Campfire.');
  }
  if (status >= 500) return failed(`${url} answers ${status}`, 'Look at the log of Campfire.');
  if (status === 404) {
    return {
      name,
      state: 'warning',
      detail: `${url} answers 404`,
      advice: 'Check the path of CAMPFIRE_URL.',
    };
  }
  return { name, state: 'ok', detail: `${url} answers ${status}`, advice: null };
}

/** Campfire sends each webhook once: what is sent while the server is down has to be read somewhere. */
export function checkCatchUp(config: Config, probe: ChatProbe): readonly Check[] {
  const name = 'Missed messages';
  if (config.campfireUrl === null || config.catchUpMs === 0) return [];
  switch (probe) {
    case 'readable':
      return [{ name, state: 'ok', detail: 'Campfire or its database can be asked for them', advice: null }];
    case 'unreadable': {
      const detail = 'what is sent while the server is down is lost: this Campfire cannot be asked for it';
      const advice = 'Update Campfire, or set CAMPFIRE_DB_PATH to its database.';
      return [{ name, state: 'warning', detail, advice }];
    }
    case 'unreachable':
      return [{ name, state: 'warning', detail: 'Campfire did not answer just now', advice: null }];
    case null: {
      const detail = 'Campfire is asked for them as soon as a bot has a key';
      return [{ name, state: 'ok', detail, advice: null }];
    }
    default:
      return unreachable(probe);
  }
}

async function statusOf(url: string, clock: Clock): Promise<number | string> {
  const abort = new AbortController();
  try {
    const response = await within(
      clock,
      CAMPFIRE_LIMIT_MS,
      fetch(url, { redirect: 'manual', signal: abort.signal }),
    );
    if (response === 'timed-out') return `no answer in ${CAMPFIRE_LIMIT_MS / 1_000} s`;
    return response.status;
  } catch (error) {
    return codeOf(toError(error).cause ?? error);
  } finally {
    // The body is not read; this closes its connection too.
    abort.abort();
  }
}
