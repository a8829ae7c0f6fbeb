import { describe, expect, it } from 'vitest';
import { makeBot, makeMemoryBots } from '../../test/fixtures/front-doors.ts';
import { botId } from '../base/terms.ts';
import { chooseBot } from './choose-bot.ts';

const bender = makeBot({ id: botId('bender') });
const flexo = makeBot({ id: botId('flexo'), key: '4-flexo' });
const calculon = makeBot({ id: botId('calculon'), isDefault: true });
const bots = makeMemoryBots([bender, flexo, calculon]);

describe('chooseBot', () => {
  it.each([
    ['the path wins', 'bender', 'flexo', flexo, '4-flexo', 'bender'],
    ['then the query', undefined, 'bender', flexo, '4-flexo', 'bender'],
    ['then the key in room.path', undefined, undefined, bender, '4-flexo', 'bender'],
    ['then BOT_KEY', undefined, undefined, null, '4-flexo', 'flexo'],
    ["a BOT_KEY of nobody's falls through", undefined, undefined, null, '9-nobody', 'calculon'],
    ['then the default', undefined, undefined, null, null, 'calculon'],
    ['an empty name counts as none', '', '', null, null, 'calculon'],
  ] as const)('%s', (_title, path, query, keyOwner, envBotKey, expected) => {
    expect(chooseBot({ path, query, keyOwner, envBotKey }, bots)).toMatchObject({ id: expected });
  });

  it('never falls back from a name that nobody has', () => {
    const asked = { path: 'nobody', query: 'bender', keyOwner: flexo, envBotKey: null };
    expect(chooseBot(asked, bots)).toBe('unknown_bot');
  });

  it('says so when there is no default', () => {
    const asked = { path: undefined, query: undefined, keyOwner: null, envBotKey: null };
    expect(chooseBot(asked, makeMemoryBots([bender, flexo]))).toBe('no_default_bot');
  });
});
