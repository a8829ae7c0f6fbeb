import { expect, test } from 'vitest';
import { en } from './texts/en.ts';
import { zhCN } from './texts/zh-CN.ts';
import {
  type CommandAnswer,
  commandText,
  type NoticeDetails,
  type NoticeKind,
  noticeText,
  type StatusFacts,
  toLanguage,
} from './texts.ts';

test.each(Object.keys(en.notices) as (keyof typeof en.notices)[])('%s is said in every language', (kind) => {
  expect(noticeText(kind, 'en')).toMatch(/\w/);
  expect(noticeText(kind, 'zh-CN')).toMatch(/\p{Script=Han}/u);
  expect(Object.keys(zhCN.notices)).toContain(kind);
});

test('the texts of the predecessor are the defaults', () => {
  expect(noticeText('busy', 'en')).toBe(
    "⏳ I'm currently helping someone else in this room. Your request will be processed shortly...",
  );
  expect(noticeText('overloaded', 'en')).toBe(
    "⚠️ Sorry, I'm overloaded right now. Please try again in a few minutes.",
  );
  expect(noticeText('working', 'zh-CN')).toBe('努力工作ing');
});

test('help names the bot; connection trouble has a reference and nothing else of the error', () => {
  expect(noticeText('help', 'en', { botName: 'Ada' })).toContain('I am Ada');
  expect(noticeText('help', 'zh-CN', { botName: 'Ada' })).toContain('Ada');
  expect(noticeText('connection_trouble', 'en', { reference: 'k7f2' })).toContain('(Reference: k7f2)');
  expect(noticeText('connection_trouble', 'en')).not.toContain('Reference');
});

test.each<[NoticeKind, NoticeDetails]>([
  ['busy', { rejected: true }],
  ['budget_reached', { budget: 'turn' }],
  ['budget_reached', { budget: 'session' }],
  ['budget_reached', { budget: 'day' }],
])('%s has another text for %j', (kind, details) => {
  expect(noticeText(kind, 'en', details)).toMatch(/\w/);
  expect(noticeText(kind, 'zh-CN', details)).toMatch(/\p{Script=Han}/u);
});

const quiet: StatusFacts = {
  model: null,
  runningMs: null,
  waiting: 0,
  session: null,
  isLive: false,
  todayUsd: 0,
  maxSessionCostUsd: null,
  maxUserDayCostUsd: null,
};
const who = { everybody: false, author: true, administrators: true, users: new Set<string>() };

test.each<[CommandAnswer, string]>([
  [
    { kind: 'status', ...quiet },
    '- Model: the default model\n- Now: nothing runs\n- Memory: none, the next message starts afresh\n- Cost: $0.00 in this conversation, $0.00 by you today',
  ],
  [
    {
      kind: 'status',
      ...quiet,
      model: 'some-model',
      runningMs: 61_000,
      waiting: 2,
      session: { turnCount: 1, ageMs: 2 * 86_400_000, costUsd: 0.0123 },
      isLive: true,
      todayUsd: 4.2,
      maxSessionCostUsd: 5,
      maxUserDayCostUsd: 10,
    },
    '- Model: `some-model`\n- Now: I have been answering for 1 minute, 2 messages wait\n- Memory: 1 answer in 2 days, ready at once\n- Cost: $0.0123 of $5.00 in this conversation, $4.20 of $10.00 by you today',
  ],
  [{ kind: 'stopped', dropped: 0 }, '⏹️ Stopped.'],
  [{ kind: 'stopped', dropped: 1 }, '⏹️ Stopped. 1 message that waited is dropped too.'],
  [{ kind: 'stopping', dropped: 2 }, 'it takes a moment. 2 messages that waited are dropped too.'],
  [{ kind: 'nothing_to_stop' }, 'nothing to stop'],
  [{ kind: 'forgotten' }, 'forgotten'],
  [{ kind: 'forgetting' }, 'forgetting'],
  [{ kind: 'compacting' }, 'shortening'],
  [{ kind: 'nothing_to_compact' }, 'nothing to shorten'],
  [{ kind: 'model', model: null, models: [] }, 'I use the default model.'],
  [
    { kind: 'model', model: 'a', models: ['b', 'c'] },
    'I use `a`. `/model NAME` changes that until `/reset`: `b`, `c`.',
  ],
  [{ kind: 'model_set', model: 'b' }, '`b`'],
  [{ kind: 'no_such_model', models: [] }, 'no other model'],
  [{ kind: 'no_such_model', models: ['b'] }, 'There are: `b`.'],
  [
    { kind: 'refused', command: 'reset', who },
    '`/reset` is only for whoever I answered last and administrators.',
  ],
  [
    { kind: 'refused', command: 'reset', who: { ...who, administrators: false, author: false } },
    '`/reset` is switched off.',
  ],
  [{ kind: 'late', command: 'reset' }, 'I was away when you wrote `/reset`'],
])('a command is answered in words: %o', (answer, words) => {
  expect(commandText(answer, 'en')).toContain(words);
  expect(commandText(answer, 'zh-CN')).toMatch(/\p{Script=Han}/u);
});

test.each([
  ['zh-CN', 'zh-CN'],
  ['zh', 'zh-CN'],
  ['zh_Hans', 'zh-CN'],
  ['en-GB', 'en'],
  ['EN', 'en'],
  ['fr', null],
  ['', null],
])('the language of %j is %s', (tag, language) => {
  expect(toLanguage(tag)).toBe(language);
});
