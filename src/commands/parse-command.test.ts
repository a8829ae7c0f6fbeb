import { expect, test } from 'vitest';
import { type Command, parseCommand } from './parse-command.ts';

const plain = (name: Command['name']): Command => ({ name, argument: null });

test.each<[string, Command | null]>([
  ['/stop', plain('stop')],
  ['  /stop \n', plain('stop')],
  ['/Reset', plain('reset')],
  ['/STATUS', plain('status')],
  ['/compact', plain('compact')],
  ['/model', plain('model')],
  ['/model some-model', { name: 'model', argument: 'some-model' }],
  ['/model   some-model ', { name: 'model', argument: 'some-model' }],
  ['/model two words', null],
  ['/stop now', null],
  ['please /stop', null],
  ['/stop\n/reset', null],
  ['stop', null],
  ['/', null],
  ['//stop', null],
  ['/dance', null],
  ['/stopp', null],
  ['', null],
  [`/model ${'x'.repeat(201)}`, null],
])('%j', (text, command) => {
  expect(parseCommand(text)).toEqual(command);
});
