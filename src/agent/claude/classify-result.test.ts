import { describe, expect, it } from 'vitest';
import { classifyResult, type ResultFacts } from './classify-result.ts';

const facts = (result: ResultFacts['result'], more: Partial<ResultFacts> = {}): ResultFacts => ({
  result,
  text: 'so far',
  retryAfterMs: null,
  ...more,
});

const cases: readonly [string, ResultFacts, object][] = [
  [
    'a finished turn',
    facts({ subtype: 'success', is_error: false, terminal_reason: 'completed', result: 'x' }),
    { kind: 'answered', text: 'so far' },
  ],
  [
    'a turn that ended without a word',
    facts({ subtype: 'success', is_error: false }, { text: '' }),
    { kind: 'answered', text: '' },
  ],
  [
    'an overloaded endpoint',
    facts(
      {
        subtype: 'success',
        is_error: true,
        terminal_reason: 'api_error',
        api_error_status: 529,
        result: 'API Error: 529',
      },
      { retryAfterMs: 7_000 },
    ),
    { kind: 'api-error', status: 529, retryAfterMs: 7_000, detail: 'api_error: API Error: 529' },
  ],
  [
    'a dropped connection',
    facts({
      subtype: 'success',
      is_error: true,
      terminal_reason: 'api_error',
      api_error_status: null,
      result: 'reset',
    }),
    { kind: 'api-error', status: null, retryAfterMs: null, detail: 'api_error: reset' },
  ],
  [
    'a prompt that is too long',
    facts({
      subtype: 'success',
      is_error: true,
      terminal_reason: 'prompt_too_long',
      result: 'Prompt is too long',
    }),
    { kind: 'api-error', status: null, retryAfterMs: null, detail: 'prompt_too_long: Prompt is too long' },
  ],
  [
    'an interrupt while the model spoke',
    facts({
      subtype: 'error_during_execution',
      is_error: true,
      terminal_reason: 'aborted_streaming',
      errors: ['x'],
    }),
    { kind: 'interrupted', text: 'so far' },
  ],
  [
    'an interrupt while a tool ran',
    facts({
      subtype: 'error_during_execution',
      is_error: true,
      terminal_reason: 'aborted_tools',
      errors: [],
    }),
    { kind: 'interrupted', text: 'so far' },
  ],
  [
    'nothing to resume',
    facts({
      subtype: 'error_during_execution',
      is_error: true,
      errors: ['No conversation found with session ID: 1'],
    }),
    { kind: 'no-transcript', detail: 'No conversation found with session ID: 1' },
  ],
  [
    'nothing to resume at that entry',
    facts({
      subtype: 'error_during_execution',
      is_error: true,
      errors: ['No message found with message.uuid of: 1'],
    }),
    { kind: 'no-transcript', detail: 'No message found with message.uuid of: 1' },
  ],
  [
    'any other failure of the process',
    facts({ subtype: 'error_during_execution', is_error: true, errors: ['broken', 'badly'] }),
    { kind: 'died', detail: 'error_during_execution: broken; badly', text: 'so far' },
  ],
  [
    'too many steps',
    facts({ subtype: 'error_max_turns', is_error: true, terminal_reason: 'max_turns', errors: ['Reached'] }),
    { kind: 'limit', limit: 'steps', text: 'so far' },
  ],
  [
    'a used up budget',
    facts({
      subtype: 'error_max_budget_usd',
      is_error: true,
      terminal_reason: 'budget_exhausted',
      errors: [],
    }),
    { kind: 'limit', limit: 'budget', text: 'so far' },
  ],
];

describe('classifyResult', () => {
  it.each(cases)('knows %s', (_name, given, end) => {
    expect(classifyResult(given)).toEqual(end);
  });

  it('keeps details short', () => {
    const end = classifyResult(facts({ subtype: 'success', is_error: true, result: 'x'.repeat(10_000) }));
    expect(end.kind === 'api-error' && end.detail.length).toBe(500);
  });
});
