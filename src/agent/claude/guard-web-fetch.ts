import type { LookupAddress } from 'node:dns';
import { lookup } from 'node:dns/promises';
import type { HookCallback, HookCallbackMatcher } from '@anthropic-ai/claude-agent-sdk';
import { type Clock, within } from '../../base/clock.ts';
import { isPrivateAddress, judgeTarget } from './private-address.ts';

/** All addresses of a name; rejects when it has none. */
export type LookUp = (name: string) => Promise<readonly LookupAddress[]>;

const LOOKUP_LIMIT_MS = 5_000;

export const systemLookUp: LookUp = (name) => lookup(name, { all: true });

/** Why the model may not fetch this URL, or null. A name is looked up; one private address among its own refuses it. */
export async function refuseFetch(url: unknown, lookUp: LookUp, clock: Clock): Promise<string | null> {
  const target = judgeTarget(typeof url === 'string' ? url : '');
  if (target.kind === 'refused') return target.reason;
  if (target.kind === 'public-address') return null;
  const addresses = await within(clock, LOOKUP_LIMIT_MS, lookUp(target.name)).catch(() => []);
  if (addresses === 'timed-out' || addresses.length === 0) return 'its name has no address';
  const isPrivate = addresses.some(({ address }) => isPrivateAddress(address));
  return isPrivate ? 'its name leads to a private address' : null;
}

/** Asks before each WebFetch; permission rules know domains only, and the process would follow a name anywhere. */
export function guardWebFetch(lookUp: LookUp, clock: Clock): HookCallbackMatcher {
  const guard: HookCallback = async (input) => {
    if (input.hook_event_name !== 'PreToolUse') return {};
    const reason = await refuseFetch(urlOf(input.tool_input), lookUp, clock);
    if (reason === null) return {};
    return {
      hookSpecificOutput: {
        hookEventName: 'PreToolUse',
        permissionDecision: 'deny',
        permissionDecisionReason: `This URL is not fetched: ${reason}.`,
      },
    };
  };
  // A guard that fails must not let the call through.
  return { matcher: 'WebFetch', hooks: [guard], onFailure: 'block' };
}

function urlOf(input: unknown): unknown {
  return typeof input === 'object' && input !== null && 'url' in input ? input.url : undefined;
}
