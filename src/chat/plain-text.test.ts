import { expect, it } from 'vitest';
import { sameWords } from './chat.ts';
import { toPlainText } from './plain-text.ts';

it.each([
  ['a line break is a newline', 'a<br>b', 'a\nb'],
  ['paragraphs stand apart', '<p>a</p><p>b</p>', 'a\n\nb'],
  ['items of a numbered list get their numbers', '<ol><li>a</li><li>b</li></ol>', '1. a\n2. b'],
  ['nested lists are indented', '<ul><li>a<ul><li>b</li></ul></li></ul>', '• a\n  • b'],
  ['a quote gets curly quotation marks', '<blockquote><p>q</p></blockquote>after', '“q”\n\nafter'],
  ['character references are decoded once', '&lt;b&gt; &amp;lt; &#39;&#x4e16;&quot;', '<b> &lt; \'世"'],
  ['what no one knows stays as it was', '&nosuch; &#0; &#99999999;', '&nosuch; &#0; &#99999999;'],
  ['comments and scripts leave nothing', 'a<!-- <b> -->b<script>c</script>', 'ab'],
  ['an end without a start is nothing', 'a</div></p>b', 'ab'],
  ['a start without an end is closed', '<div><b>a', 'a'],
  ['nothing is nothing', '', ''],
])('%s', (_name, html, plain) => {
  expect(toPlainText(html)).toBe(plain);
});

it.each([
  ['Hello, world!', 'hello\n\nworld', true],
  ['It is 42.', 'It is 43.', false],
  ['你好，世界', '你好 世界', true],
  ['👍', ' 👍\u2060', true],
  ['👍', '👎', false],
  ['👍', 'yes', false],
])('"%s" and "%s" having the same words is %s', (one, other, same) => {
  expect(sameWords(one, other)).toBe(same);
});
