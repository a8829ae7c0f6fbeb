import { expect, test } from 'vitest';
import { chosenModel } from './models.ts';

test.each([
  ['large', ['small', 'large'], 'large'],
  ['large', ['small'], null],
  ['large', [], null],
  [null, ['small'], null],
])('of a choice of %s a bot that lists %j is given %s', (choice, models, given) => {
  expect(chosenModel(choice, { models })).toBe(given);
});
