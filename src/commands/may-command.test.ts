import { expect, test } from 'vitest';
import { userId } from '../base/terms.ts';
import type { Who } from '../bots/bots.ts';
import { type GiverFacts, mayCommand } from './may-command.ts';

const JANE = userId('jane');
const BOB = userId('bob');
const nobody: Who = { everybody: false, author: false, administrators: false, users: new Set() };
const facts: GiverFacts = { who: nobody, userId: JANE, lastAuthor: BOB };

test.each<[string, Partial<Who>, Partial<GiverFacts>, ReturnType<typeof mayCommand>]>([
  ['nobody may', {}, {}, 'no'],
  ['nobody may, not even in a new conversation', {}, { lastAuthor: null }, 'no'],
  ['everybody may', { everybody: true }, {}, 'yes'],
  ['the author may', { author: true }, { lastAuthor: JANE }, 'yes'],
  ['anybody may where nobody was answered yet', { author: true }, { lastAuthor: null }, 'yes'],
  ['another than the author may not', { author: true }, {}, 'no'],
  ['an administrator may, once it is known that this is one', { administrators: true }, {}, 'ask-role'],
  ['no role is asked of the author', { author: true, administrators: true }, { lastAuthor: JANE }, 'yes'],
  ['another than the author may be an administrator', { author: true, administrators: true }, {}, 'ask-role'],
  ['somebody named may', { users: new Set(['jane']) }, {}, 'yes'],
  ['somebody else than those named may not', { users: new Set(['bob']) }, {}, 'no'],
])('%s', (_name, who, more, expected) => {
  expect(mayCommand({ ...facts, ...more, who: { ...nobody, ...who } })).toBe(expected);
});
