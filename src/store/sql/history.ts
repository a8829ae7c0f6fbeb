import type { History } from '../../session/session.ts';
import type { Database } from '../database.ts';

/** What was said, from the rows of inbox and outbox; a forget has blanked what came before it. */
export function makeHistory({ read }: Database): History {
  return {
    async recent(conversation, limit) {
      const messages = await read
        .selectFrom('inbox')
        .select(['accepted_at as at', 'user_name as author', 'text'])
        .where('conversation', '=', conversation)
        .where('state', '=', 'settled')
        .where('text', '!=', '')
        // A command was answered without a turn.
        .where('attempts', '>', 0)
        .orderBy('id', 'desc')
        .limit(limit)
        .execute();
      const replies = await read
        .selectFrom('outbox')
        .select(['created_at as at', 'markdown as text'])
        .where('conversation', '=', conversation)
        .where('kind', '=', 'reply')
        .where('markdown', '!=', '')
        .orderBy('id', 'desc')
        .limit(limit)
        .execute();
      const said = [...messages, ...replies.map((reply) => ({ ...reply, author: null }))];
      const newest = said.sort((a, b) => b.at - a.at).slice(0, limit);
      return newest.reverse().map(({ author, text }) => ({ author, text }));
    },
  };
}
