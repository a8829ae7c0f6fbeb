import { describe } from 'vitest';
import { CONTRACTS } from './contracts.ts';
import { makeSqliteUnderTest } from './store-under-test.ts';

for (const [name, contract] of Object.entries(CONTRACTS))
  describe(`${name} on SQLite`, () => contract(makeSqliteUnderTest));
