import { DatabaseSync } from 'node:sqlite';
import { afterEach, expect, test, vi } from 'vitest';
import { makeSqliteUnderTest } from './store-under-test.ts';
import { useEverything } from './use-everything.ts';

afterEach(() => vi.restoreAllMocks());

/** Scans that end by themselves: newest rows by id up to a limit (settled ones are nearly all there are), and a table that is empty again after each run. */
const SCANS_THAT_STOP = [
  /^select "id" from "inbox" order by "id" desc limit \?$/,
  /^select .* from "inbox" where state = 'settled' order by "id" desc limit \?$/,
  /^select \* from "outbox" where state = 'sent' order by "id" desc limit \?$/,
  /^select \* from "turns" order by "id" desc limit \?$/,
  /^delete from "agents" returning \*$/,
  /^select .* from "projects" inner join "project_heads" .* order by "projects"\."id" limit \?$/,
];
/** Forgetting everything touches everything. */
const ALL_ROOMS = /^select "conversation" from "sessions" where "state" != \?$/;

test('no statement reads more than what is active: scans are of indexes that hold nothing else', async () => {
  const prepared = vi.spyOn(DatabaseSync.prototype, 'prepare');
  const under = await makeSqliteUnderTest();
  prepared.mockClear();
  await useEverything(under.store);
  const statements = new Set(prepared.mock.calls.map(([statement]) => statement));
  const connection = prepared.mock.contexts[0] as DatabaseSync;

  const scans: string[] = [];
  for (const statement of statements) {
    if (SCANS_THAT_STOP.some((known) => known.test(statement)) || ALL_ROOMS.test(statement)) continue;
    for (const step of connection.prepare(`explain query plan ${statement}`).all()) {
      const isScan = /^SCAN /.test(String(step.detail));
      if (isScan && !/ USING (COVERING )?INDEX \w+_(open|current|buried|ignored)/.test(String(step.detail)))
        scans.push(`${step.detail}: ${statement}`);
    }
  }
  expect(scans).toEqual([]);
  expect(statements.size).toBeGreaterThan(40);
  await under.close();
});
