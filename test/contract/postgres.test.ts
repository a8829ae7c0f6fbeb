import { afterAll, beforeAll, describe } from 'vitest';
import { type Cluster, hasNoPostgres, startCluster } from '../setup/postgres-cluster.ts';
import { CONTRACTS } from './contracts.ts';
import { makePostgresStores, type PostgresStores } from './store-under-test.ts';

describe.skipIf(hasNoPostgres)('on Postgres', () => {
  let cluster: Cluster | null = null;
  let stores: PostgresStores | null = null;
  beforeAll(async () => {
    cluster = await startCluster();
    stores = makePostgresStores(cluster.makeDatabase);
  });
  afterAll(async () => {
    await stores?.close();
    await cluster?.stop();
  });
  const make = async () => {
    if (stores === null) throw new Error('the cluster did not start');
    return stores.make();
  };

  for (const [name, contract] of Object.entries(CONTRACTS)) describe(name, () => contract(make));
});
