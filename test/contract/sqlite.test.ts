import { describe } from 'vitest';
import { inboxContract } from './inbox.contract.ts';
import { leasesContract } from './leases.contract.ts';
import { outboxContract } from './outbox.contract.ts';
import { sessionsContract } from './sessions.contract.ts';
import { smallStoresContract } from './small-stores.contract.ts';
import { makeSqliteUnderTest } from './store-under-test.ts';
import { transcriptsContract } from './transcripts.contract.ts';
import { turnsContract } from './turns.contract.ts';

describe('inbox on SQLite', () => inboxContract(makeSqliteUnderTest));
describe('outbox on SQLite', () => outboxContract(makeSqliteUnderTest));
describe('leases on SQLite', () => leasesContract(makeSqliteUnderTest));
describe('sessions on SQLite', () => sessionsContract(makeSqliteUnderTest));
describe('turns on SQLite', () => turnsContract(makeSqliteUnderTest));
describe('transcripts on SQLite', () => transcriptsContract(makeSqliteUnderTest));
describe('small stores on SQLite', () => smallStoresContract(makeSqliteUnderTest));
