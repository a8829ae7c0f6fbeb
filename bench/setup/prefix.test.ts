import { expect, test } from 'vitest';
import { sharedPrefix } from './prefix.ts';

const said = (text: string, mark = false) => ({
  role: 'user',
  content: [{ type: 'text', text, ...(mark ? { cache_control: { type: 'ephemeral' } } : {}) }],
});
const tools = [{ name: 'Read' }];
const system = [{ type: 'text', text: 'You are a bot.' }];

test('a request that goes on where the earlier one ended shares all of it', () => {
  const earlier = { tools, system, messages: [said('a', true)] };
  const later = { tools, system, messages: [said('a'), said('b', true)] };
  const { sharedBytes, earlierBytes } = sharedPrefix(earlier, later);
  expect(sharedBytes).toBe(earlierBytes);
});

test('what comes before the first difference is shared, and nothing behind it', () => {
  const earlier = { tools, system, messages: [said('same'), said('other')] };
  const later = { tools, system: [{ type: 'text', text: 'You are a cat.' }], messages: earlier.messages };
  const { sharedBytes } = sharedPrefix(earlier, later);
  expect(sharedBytes).toBe(Buffer.byteLength('{"name":"Read"}\n{"type":"text","text":"You are a '));
});

test('a text is the same written as a text or as a block', () => {
  const earlier = { tools, system, messages: [said('a', true)] };
  const later = { tools, system, messages: [{ role: 'user', content: 'a' }, said('b', true)] };
  const { sharedBytes, earlierBytes } = sharedPrefix(earlier, later);
  expect(sharedBytes).toBe(earlierBytes);
});
