import { expect, test } from 'vitest';
import { type EntryId, type InboxId, userId } from '../../base/terms.ts';
import { decideClaim, MOST_CLAIMED, type OpenMessage } from './decide-claim.ts';

const NOW = 1_000;
const JANE = 'jane';

let ids = 0;
function message(
  facts: Partial<Record<'state' | 'by' | 'prompt', string>> & { notBefore?: number } = {},
): OpenMessage {
  ids += 1;
  return {
    id: ids as InboxId,
    state: facts.state === 'running' ? 'running' : 'waiting',
    user_id: userId(facts.by ?? JANE),
    not_before: facts.notBefore ?? null,
    prompt_id: (facts.prompt ?? null) as EntryId | null,
  };
}
const waiting = (by = JANE): OpenMessage => message({ by });
const backedOff = (notBefore: number): OpenMessage => message({ notBefore });
const running = (prompt: string): OpenMessage => message({ state: 'running', prompt });

test.each([
  ['all that wait of its author', [waiting(), waiting('bob'), waiting()], [0, 2]],
  ['none that backs off', [waiting(), backedOff(NOW + 1), waiting()], [0, 2]],
  [
    'what one turn left running, though others wrote between',
    [running('p'), waiting('bob'), running('p')],
    [0, 2],
  ],
] as const)('with same-author a turn takes %s', (_name, open, taken) => {
  expect(decideClaim(open, 'same-author', NOW)).toEqual(taken.map((index) => open[index]));
});

test.each([
  ['nothing of nothing', [], 'one', 0],
  ['the oldest', [waiting(), waiting()], 'one', 1],
  ['one whose back-off is over', [backedOff(NOW), waiting()], 'one', 1],
  ['nothing while the oldest backs off', [backedOff(NOW + 1), waiting()], 'same-author', 0],
  ['what was left running, as it was', [running('p'), running('p'), waiting()], 'one', 2],
  ['what was left running, and nothing with it', [running('p'), waiting()], 'same-author', 1],
  ['what was left running by one turn', [running('p'), running('q')], 'one', 1],
  ['no more than it may', Array.from({ length: 30 }, () => waiting()), 'same-author', MOST_CLAIMED],
] as const)('a turn takes %s', (_name, open, mode, count) => {
  expect(decideClaim(open, mode, NOW)).toEqual(open.slice(0, count));
});
