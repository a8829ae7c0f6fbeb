import type { SDKMessage } from '@anthropic-ai/claude-agent-sdk';
import { describe, expect, it } from 'vitest';
import { makeTurnReader } from './turn-reader.ts';

/** As much of a message as the reader looks at; the process sends a good deal more. */
const message = (fields: object) => fields as SDKMessage;
const stream = (event: object, more: object = {}) =>
  message({ type: 'stream_event', parent_tool_use_id: null, event, ...more });
const delta = (text: string) => stream({ type: 'content_block_delta', delta: { type: 'text_delta', text } });
const begin = (id: string, more: object = {}) =>
  stream(
    { type: 'message_start', message: { id, usage: { input_tokens: 10, cache_read_input_tokens: 5 } } },
    more,
  );
const said = (id: string, content: object[], more: object = {}) =>
  message({ type: 'assistant', parent_tool_use_id: null, message: { id, content, usage: USAGE }, ...more });
const USAGE = {
  input_tokens: 3,
  output_tokens: 4,
  cache_read_input_tokens: 20,
  cache_creation_input_tokens: 1,
};
const text = (value: string) => ({ type: 'text', text: value });
const result = (more: object) => message({ type: 'result', subtype: 'success', ...more });

describe('a turn that is read', () => {
  it('drops what belongs to an earlier prompt, its result too', () => {
    const reader = makeTurnReader('ours');
    expect(reader.read(delta('old')).events).toEqual([]);
    expect(reader.read(said('m0', [text('old answer')], { user_message_uuid: 'theirs' })).events).toEqual([]);
    expect(reader.read(result({ user_message_uuid: 'theirs' })).result).toBeNull();
    expect(reader.text()).toBe('');

    expect(reader.read(begin('m1', { user_message_uuid: 'ours' })).events).toEqual([{ kind: 'activity' }]);
    expect(reader.read(delta('new')).events).toEqual([{ kind: 'text-delta', text: 'new' }]);
    const ours = result({ user_message_uuids: ['theirs', 'ours'], user_message_uuid: 'ours' });
    expect(reader.read(ours).result).toBe(ours);
  });

  it('takes a result that names nobody: the process failed before it knew', () => {
    const failed = result({ subtype: 'error_during_execution' });
    expect(makeTurnReader('ours').read(failed).result).toBe(failed);
  });

  it('has the text of the last message, all its blocks, none of it of a sub-agent', () => {
    const reader = makeTurnReader('ours');
    const mine = { user_message_uuid: 'ours' };
    reader.read(said('m1', [text('narration')], mine));
    const tool = { type: 'tool_use', id: 't1', name: 'Read', input: {} };
    expect(reader.read(said('m1', [tool])).events).toEqual([
      { kind: 'tool-started', toolUseId: 't1', name: 'Read' },
    ]);
    const answer = [{ type: 'tool_result', tool_use_id: 't1', is_error: true }];
    expect(
      reader.read(message({ type: 'user', parent_tool_use_id: null, message: { content: answer } })).events,
    ).toEqual([{ kind: 'tool-finished', toolUseId: 't1', failed: true }]);
    reader.read(said('m9', [text('a sub-agent')], { parent_tool_use_id: 't1' }));
    reader.read(said('m2', [text('first block, ')]));
    reader.read(said('m2', [text('second block')]));
    expect(reader.text()).toBe('first block, second block');
  });

  it('has what was streamed when the message was cut off', () => {
    const reader = makeTurnReader('ours');
    reader.read(said('m1', [text('narration')], { user_message_uuid: 'ours' }));
    reader.read(begin('m2'));
    expect(reader.text()).toBe('narration');
    reader.read(delta('half a'));
    reader.read(delta('n answ'));
    expect(reader.text()).toBe('half an answ');
  });

  it('never takes the text of an API failure for an answer', () => {
    const reader = makeTurnReader('ours');
    const failure = { user_message_uuid: 'ours', error: 'server_error' };
    expect(reader.read(said('m1', [text('API Error: 529')], failure)).events).toEqual([]);
    expect(reader.text()).toBe('');
  });

  it('counts tokens as they are reported, for a process that dies before it sums them up', () => {
    const reader = makeTurnReader('ours');
    reader.read(begin('m1', { user_message_uuid: 'ours' }));
    reader.read(stream({ type: 'message_delta', usage: { output_tokens: 3 } }));
    reader.read(begin('m2'));
    expect(reader.tokens()).toEqual({
      costUsd: 0,
      inputTokens: 20,
      outputTokens: 3,
      cacheReadTokens: 10,
      cacheWriteTokens: 0,
    });
  });

  it('knows how full the context is from the last message of the main thread, streamed or not', () => {
    const reader = makeTurnReader('ours');
    expect(reader.contextTokens()).toBeNull();
    reader.read(begin('m1', { user_message_uuid: 'ours' }));
    reader.read(said('m1', [text('hello')]));
    reader.read(stream({ type: 'message_delta', usage: { output_tokens: 7 } }));
    reader.read(said('m9', [text('a sub-agent')], { parent_tool_use_id: 't1' }));
    reader.read(said('m8', [text('API Error: 529')], { error: 'server_error' }));
    expect(reader.contextTokens()).toBe(22);
    reader.read(said('m2', [text('asked again')]));
    expect(reader.contextTokens()).toBe(28);
  });

  it('knows when the process has the prompt, before it answers it', () => {
    const reader = makeTurnReader('ours');
    reader.read(message({ type: 'command_lifecycle', command_uuid: 'theirs' }));
    expect(reader.received()).toBe(false);
    reader.read(message({ type: 'command_lifecycle', command_uuid: 'ours' }));
    expect(reader.received()).toBe(true);
    expect(reader.read(delta('of an earlier turn')).events).toEqual([]);
  });

  it('notes how long an endpoint wants to be left alone; a limit that names its end goes before a retry', () => {
    const reader = makeTurnReader('ours');
    expect(reader.hold()).toBeNull();
    const retry = {
      type: 'system',
      subtype: 'api_retry',
      attempt: 2,
      error_status: 429,
      retry_delay_ms: 7_000,
    };
    expect(reader.read(message(retry)).events).toEqual([
      { kind: 'api-retry', attempt: 2, status: 429, delayMs: 7_000 },
    ]);
    expect(reader.hold()).toEqual({ kind: 'for', ms: 7_000 });
    reader.read(
      message({ type: 'rate_limit_event', rate_limit_info: { status: 'rejected', resetsAt: 1_800_000_000 } }),
    );
    reader.read(message(retry));
    expect(reader.hold()).toEqual({ kind: 'until', instant: 1_800_000_000_000 });
  });

  it('says that the process compacts, which streams nothing', () => {
    const status = { type: 'system', subtype: 'status', status: 'compacting' };
    expect(makeTurnReader('ours').read(message(status)).events).toEqual([{ kind: 'activity' }]);
  });

  it('says that its memory is at risk', () => {
    const reader = makeTurnReader('ours');
    expect(reader.atRisk()).toBe(false);
    const lost = { type: 'system', subtype: 'mirror_error', error: 'no disk at postgres://a:b@c/d' };
    expect(reader.read(message(lost)).events).toEqual([
      { kind: 'memory-at-risk', detail: 'no disk at <url>' },
    ]);
    expect(reader.atRisk()).toBe(true);
  });
});
