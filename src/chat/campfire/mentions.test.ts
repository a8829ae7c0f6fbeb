import { describe, expect, it } from 'vitest';
import { countMentions, mentions, renderedName, withoutOwnName } from './mentions.ts';

const encode = (text: string) => Buffer.from(text).toString('base64');
const sgidOf = (user: number) =>
  `${encode(`{"_rails":{"data":"gid://campfire/User/${user}?expires_in","pur":"attachable"}}`)}--abc`;
const older = `${encode(`{"_rails":{"message":"${encode('"gid://campfire/User/3?expires_in"')}"}}`)}--abc`;
const kept = (sgid: string) =>
  `<action-text-attachment sgid="${sgid}" content-type="application/vnd.campfire.mention" content="<span class=&quot;mention&quot;>x</span>"></action-text-attachment>`;
const rendered = `<action-text-attachment sgid="${sgidOf(3)}" content-type="application/octet-stream"><div class="mention" sgid="${sgidOf(3)}">
  <a title="Q&amp;A &quot;Bot&quot;" class="btn avatar" href="/users/3"><img src="/x"></a>
  Q&amp;A</div></action-text-attachment>`;

describe('a mention', () => {
  it.each([
    ['as it is kept', kept(sgidOf(3)), true, 1],
    ['as it is rendered', rendered, true, 1],
    ['in the older form', kept(older), true, 1],
    ['with its signature in the text of an address', kept(sgidOf(3).replaceAll('=', '%3D')), true, 1],
    ['without its type', `<action-text-attachment sgid="${sgidOf(3)}"></action-text-attachment>`, true, 1],
    ['inside a span of a newer editor', `<p><span class="mention" sgid="${sgidOf(3)}">B</span></p>`, true, 0],
    ['of somebody whose number begins alike', kept(sgidOf(33)), false, 1],
    ['of two people', kept(sgidOf(1)) + kept(sgidOf(2)), false, 2],
    ['that is only typed', '<div>@Bender Bot</div>', false, 0],
    [
      'that is a link preview',
      '<action-text-attachment content-type="x" href="y"></action-text-attachment>',
      false,
      0,
    ],
    ['of something else than a user', kept(`${encode('gid://campfire/Room/3')}--x`), false, 0],
    ['in the text, escaped', `<div>sgid=&quot;${sgidOf(3)}&quot;</div>`, false, 0],
  ])('%s', (_name, html, isMentioned, count) => {
    expect(mentions(html, 3)).toBe(isMentioned);
    expect(countMentions(html)).toBe(count);
  });

  it('shows a name where it is rendered', () => {
    expect(renderedName(rendered, 3)).toBe('Q&A "Bot"');
    expect(renderedName(rendered, 4)).toBe(null);
    expect(renderedName(kept(sgidOf(3)), 3)).toBe(null);
  });
});

describe("a webhook's text", () => {
  it.each([
    ['@Bender Bot what is 2 < 3?', 'Bender Bot', 'what is 2 < 3?'],
    ['please @Bender Bot summarise', 'Bender Bot', 'please  summarise'],
    ['@Bender Bot', 'Bender Bot', ''],
    ['\u3000\u0085 hi \u00a0\n', 'Bender Bot', 'hi'],
    ['\ufeffhi', 'Bender Bot', '\ufeffhi'],
    ['@Anna', 'Ann', 'a'],
    ['@Bender Bot hi', null, '@Bender Bot hi'],
  ])('of %j for %j is %j', (plain, name, text) => {
    expect(withoutOwnName(plain, name)).toBe(text);
  });

  it('takes no longer for a run of spaces than for words', () => {
    expect(withoutOwnName(`a${' '.repeat(1_000_000)}b`, null)).toHaveLength(1_000_002);
  });
});
