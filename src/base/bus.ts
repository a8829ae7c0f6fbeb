/** In-process publish/subscribe: a listener never delays or breaks the one who publishes. */
export type Bus<Event> = {
  publish(event: Event): void;
  /** Returns the function that unsubscribes. */
  subscribe(listener: (event: Event) => void): () => void;
};

export function makeBus<Event>(onListenerError: (error: unknown) => void): Bus<Event> {
  const listeners = new Set<(event: Event) => void>();
  return {
    publish(event) {
      for (const listener of listeners) {
        try {
          listener(event);
        } catch (error) {
          onListenerError(error);
        }
      }
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
