import { expect, test } from 'vitest';
import { en } from './texts/en.ts';
import { zhCN } from './texts/zh-CN.ts';
import { noticeText, toLanguage } from './texts.ts';

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
