import { answerCalls } from '../calls.ts'
import { LiveCrowd } from './crowd.ts'
import type { Job } from './job.ts'

let crowd: LiveCrowd

answerCalls({
  open (job: Job) { crowd = new LiveCrowd(job) },
  enter: (count: number) => crowd.enter(count),
  run: (seconds: number) => crowd.run(seconds)
})
