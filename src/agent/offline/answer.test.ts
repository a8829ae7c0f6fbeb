import { describe, expect, it } from 'vitest';
import { answerTo, type MessagesRequest } from './answer.ts';

const person = (text: string) => ({ role: 'user', content: [{ type: 'text', text }] });
const model = (text: string) => ({ role: 'assistant', content: [{ type: 'text', text }] });
const call = (name: string) => ({
  role: 'assistant',
  content: [{ type: 'tool_use', id: 'toolu_1', name, input: {} }],
});
const result = (text: string, isError = false) => ({
  role: 'user',
  content: [{ type: 'tool_result', tool_use_id: 'toolu_1', content: text, is_error: isError }],
});
const request = (...messages: MessagesRequest['messages']): MessagesRequest => ({ model: 'm', messages });
const textOf = (...messages: MessagesRequest['messages']) => {
  const answer = answerTo(request(...messages));
  return answer.kind === 'text' ? answer.text : `tool ${answer.name}`;
};

describe('the offline model', () => {
  it('says what it is and repeats the message', () => {
    expect(textOf(person('hello'))).toBe(
      'I am the offline model: no real model answers here. You said: “hello”\n\nThat is message 1 of this conversation.',
    );
  });

  it('quotes what people said before', () => {
    const text = textOf(person('my cat is Momo'), model('noted'), person('who is my cat?'));
    expect(text).toContain('message 2 of this conversation');
    expect(text).toContain('Earlier in this conversation: 1. “my cat is Momo”');
    expect(text).not.toContain('noted');
  });

  it('quotes the ten latest of many messages, each cut', () => {
    const earlier = Array.from({ length: 40 }, (_, index) => person(`${index + 1} ${'x'.repeat(500)}`));
    const text = textOf(...earlier, person('and now?'));
    expect(text).toContain('31. “31 xxx');
    expect(text).not.toContain('30. “');
    expect(text.length).toBeLessThan(3_000);
  });

  it('looks through our header and through what the process adds', () => {
    const block =
      '<system-reminder>\ndate\n</system-reminder>\n<message from="Ann" room="Den">\nhi there\n</message>';
    expect(textOf(person(block))).toContain('You said: “hi there”');
    expect(textOf(person('<system-reminder>only this</system-reminder>'), person('hi'))).toContain(
      'message 1 of',
    );
    expect(textOf(person('hi'), person('[Request interrupted by user]'), person('again'))).toContain(
      'message 2 of',
    );
  });

  it('counts every message of a merged prompt', () => {
    const merged = '<message from="Ann">one</message>\n\n<message from="Ann">two</message>';
    expect(textOf(person(merged))).toContain('You said: “two”\n\nThat is message 2 of');
  });

  it('uses a tool when asked, then says what came back', () => {
    const wish = person('<message from="Ann">please use tool Read with {"file_path":"a.txt"}</message>');
    expect(answerTo(request(wish))).toEqual({
      kind: 'tool',
      narration: 'I will use the tool Read.',
      name: 'Read',
      input: { file_path: 'a.txt' },
    });
    expect(textOf(wish, call('Read'), result('content of a'))).toBe('The tool Read answered: content of a');
    expect(textOf(wish, call('Read'), result('no', true))).toBe('The tool Read was refused or failed: no');
  });

  it('calls a tool as often as it is asked to', () => {
    const wish = person('use tool Read with {"file_path":"a"} 2 times');
    expect(textOf(wish, call('Read'), result('a'))).toBe('tool Read');
    expect(textOf(wish, call('Read'), result('a'), call('Read'), result('b'))).toContain('answered: b');
  });

  it('does several things one after the other, then says what came of each', () => {
    const wish = person('use tool Write with {"a":1} 2 times then\nuse tool Edit with {"b":2}');
    const calls = [call('Write'), result('1'), call('Write'), result('2'), call('Edit'), result('no', true)];
    expect(answerTo(request(wish))).toMatchObject({ name: 'Write', input: { a: 1 } });
    expect(answerTo(request(wish, ...calls.slice(0, 2)))).toMatchObject({ name: 'Write' });
    expect(answerTo(request(wish, ...calls.slice(0, 4)))).toMatchObject({ name: 'Edit', input: { b: 2 } });
    const report = 'The tool Write answered: 2\nThe tool Edit was refused or failed: no';
    expect(textOf(wish, ...calls)).toBe(report);

    const followUp = person('The checks failed: mend it.');
    expect(textOf(wish, ...calls, model(report), followUp)).toContain('message 2 of this conversation');
    const again = person('use tool Edit with {"c":3}');
    expect(answerTo(request(wish, ...calls, model(report), again))).toMatchObject({ input: { c: 3 } });
  });

  it('looks for what it is to do inside the last request of a longer text', () => {
    const long =
      'You may use tool Read with {"x":0}.\n<request>old</request> Now:\n<request>\nuse tool Edit with {"b":2}\n</request>\nThen use tool Bash.';
    expect(answerTo(request(person(long)))).toMatchObject({ name: 'Edit', input: { b: 2 } });
    expect(textOf(person(long), call('Edit'), result('done'))).toBe('The tool Edit answered: done');
    expect(textOf(person('You may use tool Read.\n<request>hello</request>'))).toContain('You said: “hello”');
  });

  it('describes a project’s update when it is asked to', () => {
    const asked = person('Answer with one JSON object and nothing else.\n{"title":"…"}');
    const edit = person('<request>Make it blue: use tool Edit with {}</request>');
    expect(textOf(edit, call('Edit'), result('done'), model('done'), asked)).toContain('"Make it blue"');
  });

  it('says so when the tool input is no JSON', () => {
    expect(textOf(person('use tool Read with {oops}'))).toContain('no JSON');
  });

  it('says a given text when told to', () => {
    expect(
      textOf(person('<message from="Ann">\nplease answer exactly:\n# Hi\n\n| a | b |\n</message>')),
    ).toBe('# Hi\n\n| a | b |');
    expect(textOf(person('answer exactly:'))).toContain('You said: “answer exactly:”');
  });

  it('lists what was said when a summary is asked for, and remembers it from there', () => {
    const wish =
      'CRITICAL: Respond with TEXT ONLY. Do NOT call any tools. Write a summary of the conversation so far.';
    const summary = textOf(person('my cat is "Momo"'), model('noted'), person('and\nRex'), person(wish));
    expect(summary).toContain(
      '<summary>\nAll user messages:\n- "my cat is \\"Momo\\""\n- "and\\nRex"\n</summary>',
    );
    const said = /<summary>([\s\S]*)<\/summary>/.exec(summary)?.[1] ?? '';
    const beginning = `This session is being continued from a previous conversation.\nSummary:${said}\n- "half`;
    const command = '<command-name>/compact</command-name>';
    expect(textOf(person(beginning), person(command), person('who?'))).toContain(
      'message 3 of this conversation.\n\nEarlier in this conversation: 1. “my cat is "Momo"” 2. “and\nRex”',
    );
  });

  it.each([
    ['think for 2 seconds', 2_000],
    ['think for 0.5 second', 500],
    ['think for 9999 seconds', 120_000],
    ['think', 0],
  ])('delays when told to: %s', (text, delayMs) => {
    expect(answerTo(request(person(text)))).toMatchObject({ delayMs });
  });
});
