import { expect, test } from 'vitest';
import type { ConversationKey } from '../../src/base/terms.ts';
import type { TurnRecord } from '../../src/turn/turn.ts';
import { freePlaceWaits } from './waits.ts';

/** A turn from its acceptance to its end. */
function turn(room: string, acceptedAt: number, begunAt: number, endedAt: number): TurnRecord {
  const times = { waitedMs: begunAt - acceptedAt, openedMs: 0, answeredMs: endedAt - begunAt, endedAt };
  return { conversation: room as ConversationKey, ...times } as TurnRecord;
}

test('a message that begins at once has not waited', () => {
  expect(freePlaceWaits([turn('a', 0, 0, 100), turn('b', 0, 0, 100)], 2)).toEqual([0, 0]);
});

test('waiting for the own room, or for a place, is no waiting beside a free place', () => {
  expect(freePlaceWaits([turn('a', 0, 0, 100), turn('a', 0, 100, 200)], 2)).toEqual([0, 0]);
  expect(freePlaceWaits([turn('a', 0, 0, 100), turn('b', 0, 100, 200)], 1)).toEqual([0, 0]);
});

test('waiting while a place is free is counted, and only that part', () => {
  expect(freePlaceWaits([turn('a', 0, 0, 100), turn('b', 0, 100, 200)], 2)).toEqual([0, 100]);
  expect(freePlaceWaits([turn('a', 0, 0, 100), turn('b', 0, 130, 200)], 1)).toEqual([0, 30]);
});

test('a room keeps its place between turns that follow each other', () => {
  const room = [turn('a', 0, 0, 100), turn('a', 50, 130, 200)];
  expect(freePlaceWaits([...room, turn('b', 0, 200, 300)], 1)).toEqual([0, 30, 0]);
});

test('a room that has nothing more gives its place up', () => {
  const room = [turn('a', 0, 0, 100), turn('a', 150, 150, 200)];
  expect(freePlaceWaits([...room, turn('b', 0, 200, 300)], 1)).toEqual([0, 0, 50]);
});
