import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { decideAfterTrouble, type Phase, PostgresError, type Trouble, toPostgresError } from './errors.ts';

describe('what follows from trouble', () => {
  test.each<[Phase, string | null, Trouble, string]>([
    ['begin', 'ECONNREFUSED', 'away', 'again'],
    ['begin', '53300', 'away', 'again'],
    ['begin', '28P01', 'said', 'rejected'],
    ['work', null, 'away', 'again'],
    ['work', '57P01', 'away', 'again'],
    ['work', '40P01', 'conflict', 'again'],
    ['work', '57014', 'conflict', 'again'],
    ['work', '23505', 'said', 'rejected'],
    ['work', '53100', 'said', 'rejected'],
    ['commit', null, 'away', 'unknown'],
    ['commit', '57P01', 'away', 'unknown'],
    ['commit', '40001', 'conflict', 'again'],
    ['commit', '40P01', 'conflict', 'again'],
    ['commit', '57014', 'conflict', 'unknown'],
    ['commit', '23505', 'said', 'rejected'],
  ])('at %s, %s (%s): %s', (phase, code, trouble, outcome) => {
    expect(decideAfterTrouble(phase, { code, trouble })).toBe(outcome);
  });
});

describe('an error of the driver', () => {
  function answer(code: string, message: string, facts: Partial<pg.DatabaseError> = {}): unknown {
    return Object.assign(new pg.DatabaseError(message, 1, 'error'), { code, ...facts });
  }

  test.each<[string, unknown, Trouble, string]>([
    [
      'a refused connection',
      Object.assign(new Error('connect ECONNREFUSED 10.1.2.3:5432'), { code: 'ECONNREFUSED' }),
      'away',
      'Postgres cannot be reached: ECONNREFUSED',
    ],
    [
      'a connection that ended',
      new Error('Connection terminated unexpectedly'),
      'away',
      'Postgres cannot be reached: Connection terminated unexpectedly',
    ],
    [
      'a shutdown',
      answer('57P01', 'terminating connection due to administrator command'),
      'away',
      'Postgres says: terminating connection due to administrator command (57P01)',
    ],
    [
      'a deadlock',
      answer('40P01', 'deadlock detected'),
      'conflict',
      'Postgres says: deadlock detected (40P01)',
    ],
    [
      'a wrong password',
      answer('28P01', 'password authentication failed for user "f"'),
      'said',
      'Postgres says: password authentication failed for user "f" (28P01)',
    ],
    [
      'a constraint',
      answer('23502', 'null value in room text', {
        table: 'inbox',
        column: 'text',
        detail: 'Failing row contains (room text)',
      }),
      'said',
      'Postgres says: a value was refused by inbox, text (23502)',
    ],
    [
      'a bad value',
      answer('22P02', 'invalid input syntax for type bigint: "room text"'),
      'said',
      'Postgres says: a value was refused (22P02)',
    ],
  ])('%s', (_what, thrown, trouble, message) => {
    const error = toPostgresError(thrown);
    if (!(error instanceof PostgresError)) throw error;
    expect({ trouble: error.trouble, message: error.message }).toEqual({ trouble, message });
    expect(JSON.stringify(error)).not.toMatch(/room text|10\.1\.2\.3/);
  });

  test('a bug of ours stays what it is', () => {
    const bug = new TypeError('x is not a function');
    expect(toPostgresError(bug)).toBe(bug);
  });
});
