import { InvalidArgument } from '../errors.ts'
import { idProblem } from '../rooms/peer/member-check.ts'

/** @throws InvalidArgument for an id that no member can have */
export function assertMemberId (name: string, id: unknown): asserts id is string {
  const problem = idProblem(id)
  if (problem !== undefined) throw new InvalidArgument(name, problem)
}
