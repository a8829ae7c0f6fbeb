import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { ask } from '../../test/setup/postgres-cluster.ts';

/** The server's database, looked into from outside. What is read has the shape that its SQL asks for. */
export type Database = { read<Row>(sql: string): Promise<readonly Row[]> };

export function sqliteIn(dataDir: string): Database {
  return {
    async read<Row>(sql: string) {
      const database = new DatabaseSync(join(dataDir, 'firekeeper.sqlite'), { readOnly: true });
      try {
        return database.prepare(sql).all() as Row[];
      } finally {
        database.close();
      }
    },
  };
}

export function postgresAt(address: string): Database {
  return { read: async <Row>(sql: string) => (await ask(address, sql)) as readonly Row[] };
}
