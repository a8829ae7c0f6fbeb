import { describe, expect, it } from 'vitest';
import { makeBot, makeMemoryBots } from '../../test/fixtures/front-doors.ts';
import { watchComparisons } from '../../test/fixtures/watch-comparisons.ts';
import { botId, chatName } from '../base/terms.ts';
import type { BotKeys } from '../chat/chat.ts';
import { decideKey, makeKeyring } from './keyring.ts';

describe('decideKey', () => {
  it.each([
    ['the configured key', 'equal', true, false, true, 'good'],
    ['another key', 'different', true, false, true, 'wrong_key'],
    ["another bot's key", 'different', true, true, true, 'foreign_key'],
    ['no key where one is configured and required', 'different', false, false, true, 'key_missing'],
    ['no key where one is configured and none required', 'different', false, false, false, 'good'],
    ['a key where none is configured', null, true, false, true, 'learn'],
    ["another bot's key where none is configured", null, true, true, true, 'foreign_key'],
    ['no key where none is configured', null, false, false, true, 'good'],
  ] as const)('%s', (_title, configured, given, belongsToAnother, required, expected) => {
    expect(decideKey({ configured, given, belongsToAnother, required })).toBe(expected);
  });
});

describe('a keyring', () => {
  const chat = chatName('campfire:1');
  const bender = makeBot({ id: botId('bender') });
  const flexo = makeBot({ id: botId('flexo'), key: '4-flexo' });
  const bots = makeMemoryBots([bender, flexo]);

  it('learns a key once and asks the database once', async () => {
    const { botKeys, calls } = makeCountingKeys(null);
    const keyring = makeKeyring({ chat, bots, botKeys });
    for (let i = 0; i < 3; i++) expect(await keyring.check(bender, '3-bender', true)).toBe('good');
    expect(calls).toEqual(['learned', 'learn 3-bender']);
  });

  it('learns a key again when it was reset', async () => {
    const { botKeys, calls } = makeCountingKeys('3-old');
    const keyring = makeKeyring({ chat, bots, botKeys });
    expect(await keyring.check(bender, '3-new', true)).toBe('good');
    expect(calls).toEqual(['learned', 'learn 3-new']);
  });

  it('never learns a configured key for another bot', async () => {
    const { botKeys, calls } = makeCountingKeys(null);
    const keyring = makeKeyring({ chat, bots, botKeys });
    expect(await keyring.check(bender, '4-flexo', true)).toBe('foreign_key');
    expect(calls).toEqual([]);
  });

  it('finds the owner among configured keys, then among learned ones', async () => {
    const keyring = makeKeyring({ chat, bots, botKeys: makeCountingKeys('3-bender').botKeys });
    expect((await keyring.owner('4-flexo'))?.id).toBe('flexo');
    expect((await keyring.owner('3-bender'))?.id).toBe('bender');
    expect(await keyring.owner('9-nobody')).toBeNull();
  });

  it('compares keys, configured and learned ones, in a time that tells nothing of them', async () => {
    const compare = watchComparisons();
    const keyring = makeKeyring({ chat, bots, botKeys: makeCountingKeys('3-bender').botKeys });
    expect(await keyring.check(flexo, '4-flex', true)).toBe('wrong_key');
    expect(compare).toHaveBeenCalledTimes(1);
    expect(await keyring.owner('3-bend')).toBeNull();
    expect(compare).toHaveBeenCalledTimes(2);
    expect(await keyring.check(bender, '3-bend', true)).toBe('good');
    expect(compare).toHaveBeenCalledTimes(3);
  });
});

function makeCountingKeys(stored: string | null): { readonly botKeys: BotKeys; readonly calls: string[] } {
  const calls: string[] = [];
  const botKeys: BotKeys = {
    async learned() {
      calls.push('learned');
      return stored;
    },
    async learn(_chat, _bot, key) {
      calls.push(`learn ${key}`);
    },
  };
  return { botKeys, calls };
}
