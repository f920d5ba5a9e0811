/** Decides which client sends a post: the one that has the claim. A claim ends when its page is closed or crashes. */
export interface Claims {
  /** Claims posts. Resolves with the ids of those that this client has: no other living client has claimed them. */
  claim (ids: readonly string[]): Promise<string[]>
  /** Ends the claim on a post. */
  release (id: string): void
  /** Ends all claims, those in progress included. */
  releaseAll (): void
}
