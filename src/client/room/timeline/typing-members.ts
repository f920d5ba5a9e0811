import { TYPING_TIMEOUT } from '../../bounds.ts'
import type { Sender } from '../../room-events.ts'
import { idleTimer } from '../../timer.ts'

/** The members that are typing in a room. @param onTimeout called when a member counts as stopped */
export function typingMembers (onTimeout: () => void) {
  const members = new Map<string, { readonly member: Sender, readonly timer: ReturnType<typeof setTimeout> }>()

  /** @param id of one member; default: all */
  function stop (id?: string): void {
    for (const each of id === undefined ? members.keys() : [id]) {
      clearTimeout(members.get(each)?.timer)
      members.delete(each)
    }
  }

  return {
    stop,
    list: (): Sender[] => Array.from(members.values(), ({ member }) => member),
    start ({ id, name }: Sender): void {
      const { member, timer } = members.get(id) ?? { member: { id, name } }
      clearTimeout(timer)
      members.set(id, {
        member,
        timer: idleTimer(() => {
          stop(id)
          onTimeout()
        }, TYPING_TIMEOUT)
      })
    }
  }
}
