"""The command gate: the only way to the arm.

One node, `gate_node`, stands between everything that wants to move the arm and its controller. It accepts one owner
at a time (policy, reach, teleop, reset), judges every command and every trajectory before anything moves, and issues
joint trajectories that end at rest, so that a late command, a dead owner or a dead gate leaves the arm standing.

| verdict | got | expected, what to do |
|---|---|---|
| ACCEPTED | a command within every limit, or beyond the task's box alone | it is carried out, in the box or along it |
| NOT_OWNER | a sender without the arm, or without its acquisition's token | `/vital/acquire_control` first |
| NOT_FINITE | NaN or infinity | finite numbers |
| STALE | past valid_until, or too old or future a stamp (ROS time) | a fresh command; clocks that agree |
| OUT_OF_BOX | a trajectory leaves the task's box; an arm outside it comes no nearer | a goal in the box; further in |
| STEP_TOO_LARGE | more translation or rotation than one command may have | the task's max_step_m, max_step_rad |
| JOINT_LIMIT | a joint, or the gripper, beyond its range | another way |
| UNREACHABLE | no smooth way of the arm to the target | another target |
| STOPPED | anything while a stop is latched | look at the arm, `/vital/clear_stop` with a name |
| NO_JOINT_STATE | joint states are missing or old (steady time) | a connected arm |
| WRONG_FRAME | another frame_id than link_tcp, or other joints than joint1 to joint7 | these |
| OUT_OF_ORDER | a repeated or older seq; a motion while a trajectory is under way | one publisher; wait or cancel |
| START_MISMATCH | a start where the arm is not; an arm that does not follow | plan from the present joints |
| TOO_FAST | more joint or TCP speed or acceleration than allowed; no rest at an end | a slower motion |
| BAD_DURATION | a duration or times that make no sense | durations in range, growing times |
| NO_TACTILE | the tactile pad is silent, or what it says is unclear (steady time) | a connected pad; `tactile:=none` |

| mode | means | left by |
|---|---|---|
| IDLE | no owner, arm at rest | acquire |
| MOVING | carrying out a command or a trajectory | 2.5 periods of silence, a trajectory's end, release, stop |
| HOLDING | an owner without commands, arm at rest | a command, a trajectory, release; silence: another's acquire |
| LATCHED | stopped: by a person, by touch, or not where it was sent | `/vital/clear_stop`, to IDLE without owner |

The arm is sent a long path in pieces: each goes on for half a second and then slows down on the path to rest, unless
the next takes its place. So the controller never holds more than that of what a dead or frozen gate wanted. A sensor
that is silent for less than a second makes a trajectory rest on its path and go on; a longer silence ends it.

Nothing is ever sent because of where joint states say the arm is. A jump of the joints is followed, and only by
taking it for where the arm stands, when the simulator itself announces it (`/vital/scene_reset`, `hardware:=sim`).
"""
