import type { ConversationKey, Lease } from '../base/terms.ts';

type Job = {
  run(lease: Lease): Promise<void>;
  drop(): void;
};

/** Work other than turns that needs a conversation's lease: at most one piece waits for each conversation. */
export type Jobs = {
  /** What `work` resolves or rejects with; null: it was not run, or another piece waits already. */
  add<Result>(conversation: ConversationKey, work: (lease: Lease) => Promise<Result>): Promise<Result | null>;
  has(conversation: ConversationKey): boolean;
  /** Runs what waits for the lease's conversation. Never rejects: whoever added it hears how it went. */
  run(lease: Lease): Promise<void>;
  /** What waits for the conversation will not be run. */
  drop(conversation: ConversationKey): void;
  dropAll(): void;
};

export function makeJobs(): Jobs {
  const waiting = new Map<ConversationKey, Job>();

  function take(conversation: ConversationKey): Job | null {
    const job = waiting.get(conversation) ?? null;
    waiting.delete(conversation);
    return job;
  }

  return {
    add(conversation, work) {
      if (waiting.has(conversation)) return Promise.resolve(null);
      return new Promise((resolve, reject) => {
        waiting.set(conversation, {
          run: (lease) => work(lease).then(resolve, reject),
          drop: () => resolve(null),
        });
      });
    },
    has: (conversation) => waiting.has(conversation),
    async run(lease) {
      await take(lease.conversation)?.run(lease);
    },
    drop: (conversation) => take(conversation)?.drop(),
    dropAll() {
      for (const conversation of [...waiting.keys()]) take(conversation)?.drop();
    },
  };
}
