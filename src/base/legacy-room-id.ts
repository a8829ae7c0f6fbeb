/** A room as the predecessor wrote it: its number where its id is one, else the text. */
export function toLegacyRoomId(room: string): number | string {
  const number = Number(room);
  return Number.isSafeInteger(number) && String(number) === room ? number : room;
}
