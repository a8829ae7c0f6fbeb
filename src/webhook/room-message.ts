import type { Instant, RoomId } from '../base/terms.ts';
import type { RoomMessage } from '../chat/chat.ts';

/** What a person wrote, as the built-in room shows it: their characters, none of their markup. */
export function toPersonMessage(written: {
  readonly roomId: RoomId;
  readonly userId: string;
  readonly userName: string;
  readonly text: string;
  readonly at: Instant;
}): Omit<RoomMessage, 'id'> {
  return {
    roomId: written.roomId,
    author: { id: written.userId, name: written.userName, isBot: false },
    html: escapeHtml(written.text).replaceAll('\n', '<br>'),
    plainText: written.text,
    createdAt: written.at,
  };
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}
