import Anthropic from '@anthropic-ai/sdk';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type OfflineModel, startOfflineModel } from './offline-model.ts';

let model: OfflineModel;
let client: Anthropic;

beforeEach(async () => {
  model = await startOfflineModel({ recordRequests: 3 });
  client = new Anthropic({ baseURL: model.baseUrl, apiKey: 'any', authToken: null, maxRetries: 0 });
});
afterEach(() => model.close());

const ask = (text: string) =>
  client.messages.create({ model: 'm', max_tokens: 100, messages: [{ role: 'user', content: text }] });
const stream = (text: string) =>
  client.messages
    .stream({ model: 'm', max_tokens: 100, messages: [{ role: 'user', content: text }] })
    .finalMessage();

describe('the offline model as a Messages API', () => {
  it('answers with and without streaming, with plausible usage', async () => {
    const whole = await ask('hello');
    expect(whole.content[0]).toMatchObject({ type: 'text', text: expect.stringContaining('“hello”') });
    const streamed = await stream('hello again');
    expect(streamed.content[0]).toMatchObject({ text: expect.stringContaining('“hello again”') });
    expect(streamed.stop_reason).toBe('end_turn');
    expect(streamed.usage.input_tokens).toBeGreaterThan(5);
    expect(streamed.usage.output_tokens).toBeGreaterThan(5);
  });

  it('narrates and then uses the tool that it is asked to use', async () => {
    const message = await stream('use tool Read with {"file_path":"a.txt"}');
    expect(message.content).toMatchObject([
      { type: 'text', text: 'I will use the tool Read.' },
      { type: 'tool_use', name: 'Read', input: { file_path: 'a.txt' } },
    ]);
    expect(message.stop_reason).toBe('tool_use');
  });

  it.each([401, 429, 500, 529])('answers %i as often as it is told to, then goes on', async (status) => {
    model.breakNext({ kind: 'status', status, retryAfterSeconds: 7 }, 2);
    for (let count = 0; count < 2; count++) {
      const error = await ask('hello').catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(Anthropic.APIError);
      expect(error).toMatchObject({ status });
      expect((error as InstanceType<typeof Anthropic.APIError>).headers?.get('retry-after')).toBe('7');
    }
    await expect(ask('hello')).resolves.toMatchObject({ role: 'assistant' });
  });

  it('drops the connection before or in the middle of an answer', async () => {
    model.breakNext({ kind: 'drop' });
    await expect(ask('hello')).rejects.toBeInstanceOf(Anthropic.APIConnectionError);
    model.breakNext({ kind: 'drop-midway' });
    await expect(stream('hello')).rejects.toThrow();
    await expect(stream('hello')).resolves.toMatchObject({ role: 'assistant' });
  });

  it('stays silent until it is closed', async () => {
    model.breakNext({ kind: 'silent' });
    const asked = ask('hello').catch((thrown: unknown) => thrown);
    while (model.requests().length === 0) await new Promise(setImmediate);
    await model.close();
    expect(await asked).toBeInstanceOf(Anthropic.APIConnectionError);
  });

  it('keeps the latest requests only, and none unless told to', async () => {
    for (const text of ['1', '2', '3', '4']) await ask(text);
    expect(model.requests().map((request) => request.messages[0]?.content)).toEqual(['2', '3', '4']);
    const forgetful = await startOfflineModel();
    await new Anthropic({ baseURL: forgetful.baseUrl, apiKey: 'any' }).messages.create({
      model: 'm',
      max_tokens: 1,
      messages: [{ role: 'user', content: 'x' }],
    });
    expect(forgetful.requests()).toEqual([]);
    await forgetful.close();
  });

  it('answers whatever else a client asks beside messages', async () => {
    const counted = await client.messages.countTokens({
      model: 'm',
      messages: [{ role: 'user', content: 'hi' }],
    });
    expect(counted.input_tokens).toBeGreaterThan(0);
    expect((await fetch(model.baseUrl, { method: 'HEAD' })).status).toBe(200);
    expect((await fetch(`${model.baseUrl}/nowhere`)).status).toBe(404);
    expect((await fetch(`${model.baseUrl}/v1/messages`, { method: 'POST', body: 'no JSON' })).status).toBe(
      400,
    );
  });

  it('says what its script says', async () => {
    model.setScript(() => ({ kind: 'text', text: 'scripted', delayMs: 0 }));
    expect((await ask('hello')).content[0]).toMatchObject({ text: 'scripted' });
    model.setScript(null);
    expect((await ask('hello')).content[0]).toMatchObject({ text: expect.stringContaining('offline model') });
  });
});
