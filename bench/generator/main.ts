import { answerCalls } from '../calls.ts'
import { ClientGroup } from './client-group.ts'
import type { Job } from './job.ts'

let group: ClientGroup

answerCalls({
  open (job: Job) { group = new ClientGroup(job) },
  enter: (count: number) => group.enter(count),
  join: (rooms: number) => group.join(rooms),
  run: (seconds: number) => group.run(seconds)
})
