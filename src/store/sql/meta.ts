import type { Database, Tx } from '../database.ts';

/** Small facts of the data folder itself: its owner id, the id of its Campfire. */
export type Meta = {
  get(key: string): Promise<string | null>;
  set(key: string, value: string): Promise<void>;
  /** The key's value; `make()`'s, stored, when it has none. Whoever asks first decides for all. */
  getOrCreate(key: string, make: () => string): Promise<string>;
};

export function makeMeta(database: Database): Meta {
  async function readValue(db: Pick<Tx, 'selectFrom'>, key: string): Promise<string | null> {
    const row = await db.selectFrom('meta').select('value').where('key', '=', key).executeTakeFirst();
    return row?.value ?? null;
  }

  return {
    get: (key) => readValue(database.read, key),
    async set(key, value) {
      await database.write((trx) =>
        trx
          .insertInto('meta')
          .values({ key, value })
          .onConflict((conflict) => conflict.column('key').doUpdateSet({ value }))
          .execute(),
      );
    },
    getOrCreate(key, make) {
      const reading = async (trx: Tx) => {
        const known = await readValue(trx, key);
        if (known !== null) return known;
        const made = make();
        // Somebody else may have been first in this very moment: then theirs it is.
        await trx
          .insertInto('meta')
          .values({ key, value: made })
          .onConflict((conflict) => conflict.doNothing())
          .execute();
        return (await readValue(trx, key)) ?? made;
      };
      return database.write(reading, { lane: `meta ${key}` });
    },
  };
}
