import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import posts from '../../test/fixtures/campfire/posts.json' with { type: 'json' };
import { postPlainText, screenHtml } from '../../test/fixtures/campfire-html.ts';
import { toPlainText } from './plain-text.ts';
import { LINK_SCHEMES, REPLY_TAGS, renderReply, sanitized } from './render.ts';
import { columnsOf } from './render-table.ts';

/** A tag as the renderer writes it: a name from the list, and for a link one address with a scheme from the list. */
const TAG = new RegExp(
  `^</?(?:${REPLY_TAGS.join('|')})>$|^<a href="(?:${LINK_SCHEMES.join('|')}):[^"<>\\s]*">$`,
  'i',
);

function tagsOf(html: string): readonly string[] {
  return html.match(/<[^>]*>?/g) ?? [];
}

describe('a reply in Markdown', () => {
  it.each([
    ['lines break', 'one\ntwo', '<p>one<br>two</p>'],
    ['paragraphs stay apart', 'one\n\ntwo', '<p>one</p><p>two</p>'],
    ['text that looks like a tag is text', 'Map<String, X> <foo>', '<p>Map&lt;String, X&gt; &lt;foo&gt;</p>'],
    [
      'HTML is text, Markdown around it works',
      '<div>\n**x**\n</div>',
      '<p>&lt;div&gt;<br><strong>x</strong><br>&lt;/div&gt;</p>',
    ],
    ['scripts are text', '<script>x</script>', '<p>&lt;script&gt;x&lt;/script&gt;</p>'],
    ['code is a pre with pure text', '```ts\nif (a < b)\n  c\n```', '<pre>if (a &lt; b)\n  c</pre>\n'],
    ['code in a line', '`a<b>`', '<p><code>a&lt;b&gt;</code></p>'],
    ['bold, italic and struck out', '**b** *i* ~~d~~', '<p><strong>b</strong> <em>i</em> <del>d</del></p>'],
    ['one tilde strikes nothing out', '3~5天，6~8天', '<p>3~5天，6~8天</p>'],
    ['bold beside Chinese punctuation', '**注意：**请看', '<p><strong>注意：</strong>请看</p>'],
    ['bold with italic inside', '**a *b* c**', '<p><strong>a <em>b</em> c</strong></p>'],
    ['lists nest', '- a\n  - b', '<ul><li>a<ul><li>b</li></ul></li></ul>'],
    ['tasks', '- [x] a\n- [ ] b', '<ul><li>☑ a</li><li>☐ b</li></ul>'],
    ['a numbered list', '1. a\n2. b', '<ol><li>a</li><li>b</li></ol>'],
    ['a list that goes on keeps its numbers', '3. a\n4. b', '<div>3. a</div><div>4. b</div>'],
    ['a quote', '> q\n> r', '<blockquote><p>q<br>r</p></blockquote>'],
    ['a heading', '## h', '<h2>h</h2>\n'],
    ['a link', '[a](https://e.com/?x=1&y=2)', '<p><a href="https://e.com/?x=1&amp;y=2">a</a></p>'],
    ['a script link is its text', '[a](javascript:alert(1))', '<p>a</p>'],
    ['a relative link is its text', '[a](/rooms/1)', '<p>a</p>'],
    ['a data link is its text', '[a](data:text/html,x)', '<p>a</p>'],
    [
      'a bare address is left to the room',
      'see https://e.com/a?b=1&c=2',
      '<p>see https://e.com/a?b=1&amp;c=2</p>',
    ],
    ['a picture is a link', '![alt](https://e.com/x.png)', '<p><a href="https://e.com/x.png">alt</a></p>'],
    ['a picture without an address is its text', '![alt](x.png)', '<p>alt</p>'],
    ['NUL goes', 'a\u0000b', '<p>ab</p>'],
    ['a link definition alone is shown as written', '[a]: http://x', '[a]: http://x'],
    ['a rule alone is shown as written', '---', '---'],
    ['nothing is nothing', '', ''],
    ['blanks are nothing', ' \n\t\u00a0\u200b', ''],
    ['an empty code block is shown as written', '```\n```', '```<br>```'],
  ])('%s', (_name, markdown, html) => {
    expect(renderReply(markdown)).toBe(html);
  });

  it('links a bare address where the room does not do it', () => {
    expect(renderReply('www.e.com', 'linked')).toBe('<p><a href="http://www.e.com">www.e.com</a></p>');
  });

  it('shows a table as columns of text, Chinese counted double', () => {
    const html = renderReply('| name | 数量 |\n|---|--:|\n| 苹果 | 3 |\n| a<br>b | [x](https://e.com) |');
    expect(toPlainText(html).trimEnd().split('\n')).toEqual([
      'name  |              数量',
      '------+------------------',
      '苹果  |                 3',
      'a / b | x (https://e.com)',
    ]);
    const widths = toPlainText(html).split('\n').filter(Boolean).map(columnsOf);
    expect(new Set(widths).size).toBe(1);
  });

  it.each([
    '/play tada',
    '**/play** tada',
    '`/play tada`',
    '/*play* tada',
    '/play&#32;tada',
    '  /play   tada\n',
  ])('plays no sound: %s', (markdown) => {
    const html = renderReply(markdown);
    expect(postPlainText(html).trim()).not.toMatch(/^\/play\s/);
    expect(screenHtml(html)).not.toContain('sound');
    expect(postPlainText(html).replace('\u2060', '')).toContain('/play');
  });

  it.each(posts.map(({ name, posted }) => [name, posted] as const))(
    'is shown whole though it holds what a room takes away: %s',
    (_name, posted) => {
      const html = renderReply(posted);
      const shown = postPlainText(screenHtml(html));
      // Every word of the source, tags included, is on screen; signs and written character references are not words.
      expect(shown.replace(/[^\p{L}\p{N}]/gu, '')).toBe(
        posted.replace(/&[lg]t;/g, '').replace(/[^\p{L}\p{N}]/gu, ''),
      );
    },
  );

  it.each([
    [
      '```\n<a href="https://e.com">a</a> & <p>\n```',
      '<pre>&lt;a href="https://e.com"&gt;a&lt;/a&gt; &amp; &lt;p&gt;</pre>',
    ],
    ['`<em>a</em>`', '<p><code>&lt;em&gt;a&lt;/em&gt;</code></p>'],
  ])('is shown as it is in code: %s', (markdown, html) => {
    expect(renderReply(markdown).trim()).toBe(html);
  });

  it('is shown as it is when it nests deeper than a parser can follow', () => {
    const html = renderReply(`${'>'.repeat(30_000)}x`);
    expect(html.startsWith('&gt;&gt;') || html.startsWith('<blockquote>')).toBe(true);
    expect(toPlainText(html)).toContain('x');
  });
});

describe('HTML that the Markdown library let by', () => {
  it.each([
    ['a script', 'a<script>x()</script>b', 'ab'],
    ['a picture', '<img src="x" onerror="y()">', ''],
    ['a frame', '<iframe src="https://e.com"></iframe>', ''],
    ['a form', '<form action="https://e.com"><input name="token"></form>', ''],
    ['an attribute', '<p class="x" style="position:fixed" onclick="y()">a</p>', '<p>a</p>'],
    [
      'an attribute of a link',
      '<a href="https://e.com" onclick="y()">a</a>',
      '<a href="https://e.com">a</a>',
    ],
    ['a script as an address', '<a href="javascript:y()">a</a>', '<a>a</a>'],
    ['a script as an address, disguised', '<a href=" jAvA&#115;cript:y()">a</a>', '<a>a</a>'],
    ['data as an address', '<a href="data:text/html,x">a</a>', '<a>a</a>'],
    ['an address without a scheme', '<a href="//e.com/x">a</a>', '<a>a</a>'],
    ['what a room keeps', '<p>a<br><strong>b</strong></p><hr>', '<p>a<br><strong>b</strong></p><hr>'],
  ])('loses what no room should get: %s', (_name, html, kept) => {
    expect(sanitized(html)).toBe(kept);
  });
});

describe('whatever a model writes', () => {
  const markdown = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc
      .array(
        fc.oneof(
          fc.constantFrom(
            ...[
              '<b>',
              '</p>',
              '<script>',
              '<img src=x onerror=y>',
              '&lt;',
              '&#106;',
              '"',
              "'",
              '>',
              '<',
              '&',
            ],
            ...[
              '**',
              '*',
              '_',
              '`',
              '```\n',
              '~~',
              '[',
              '](',
              ')',
              '![',
              '](javascript:x)',
              '<https://e.com>',
            ],
            ...[
              '\n',
              '\n\n',
              '- ',
              '1. ',
              '> ',
              '# ',
              '| a | b |\n|---|---|\n',
              '/play tada',
              'https://e.com/a',
            ],
          ),
          fc.string({ maxLength: 8 }),
        ),
        { maxLength: 40 },
      )
      .map((parts) => parts.join('')),
  );

  it('comes out with allowed tags and attributes only, and loses none of them on screen', () => {
    fc.assert(
      fc.property(markdown, (text) => {
        const html = renderReply(text);
        for (const tag of tagsOf(html)) expect(tag).toMatch(TAG);
        expect(html).not.toContain('\u0000');
        expect(tagsOf(screenHtml(html)).length).toBeGreaterThanOrEqual(tagsOf(html).length);
      }),
      { numRuns: 500 },
    );
  });

  it('never plays a sound, and is empty only when nothing could be seen', () => {
    fc.assert(
      fc.property(markdown, (text) => {
        const html = renderReply(text);
        expect(postPlainText(html).trim()).not.toMatch(/^\/play \w+$/);
        if (/[\p{L}\p{N}]/u.test(text)) expect(postPlainText(html).trim()).not.toBe('');
      }),
      { numRuns: 500 },
    );
  });

  it('has the plain text that Campfire makes of it', () => {
    fc.assert(
      fc.property(markdown, (text) => {
        const html = renderReply(text);
        expect(toPlainText(html).trim()).toBe(postPlainText(html).trim());
      }),
      { numRuns: 500 },
    );
  });
});
