// SPDX-License-Identifier: Apache-2.0
// Copyright (c) The Midge Authors
//
// Deliberate bugs, one at a time, that the simulator must find: the proof that its checks can fail. Only a library that
// tests link is compiled with MG_PLANTED_BUGS (test/sim/meson.build); everywhere else MG_PLANTED is false when the
// compiler sees it and nothing is left of it.
#ifndef MG_BASE_PLANTED_H
#define MG_BASE_PLANTED_H

// X(name, which part, what is wrong)
#define MG_PLANTED_LIST(X)                                                                                             \
    X(one_phase, runtime, "a post round gives each target its interest and data at once")                              \
    X(hidden_push, runtime, "a push is two stores: a producer between them hides later, completed pushes")             \
    X(newest_first, runtime, "a drain forgets to reverse the stack")                                                   \
    X(no_drain, runtime, "input is parsed before the mailbox is drained")                                              \
    X(lost_doorbell, runtime, "the flag of a sleeper is taken and the bell is not rung")                               \
    X(blind_sleep, runtime, "a shard sleeps without looking at its mailbox again")                                     \
    X(sleep_not_starved, runtime, "a shard that waits for credit sleeps as one that does not")                         \
    X(silent_return, runtime, "returned credit does not wake one who starves for it")                                  \
    X(lost_charge, runtime, "only the size of records comes home, not what they were charged")                         \
    X(lost_waiter, runtime, "waiters are resumed only at the moment when a batch comes home")                          \
    X(silent_wait, runtime, "one who waits for credit does not wake the shard that has it")                            \
    X(flush_first, runtime, "sockets are flushed before the round is posted")                                          \
    X(lost_batch, runtime, "a batch that is full is forgotten")                                                        \
    X(last_in_first_out, runtime, "the newest waiter is resumed first")                                                \
    X(stop_early, runtime, "a shard stops while its batches are under way")                                            \
    X(origin_asked, broker, "the publisher's shard counts as asked for a queue group though it was not")               \
    X(no_second_choice, broker, "a shard that has lost its queue members does not pass the message on")                \
    X(group_twice, broker, "a queue group whose local member got the message gets it elsewhere, too")                  \
    X(lost_503, broker, "the outcome of a request on other shards is forgotten")                                       \
    X(drain_before_read, broker, "input drains the mailbox before it reads")                                           \
    X(pause_closed, broker, "a publisher that is closed already is paused")                                            \
    X(lost_place, broker, "a command that waits for credit does not take the parser back")                             \
    X(deaf_after_credit, broker, "a connection that got its credit does not read again")                               \
    X(one_too_many, broker, "UNSUB with a maximum lets one more through")                                              \
    X(stale_memo, broker, "a publisher's memory outlives a change of interest")                                        \
    X(slab_reused, broker, "what a slow socket did not take is not copied out of the slab")                            \
    X(last_of_many, broker, "interest is withdrawn with the first of several subscriptions")                           \
    X(no_more_writes, broker, "a socket that took a part is not waited for")                                           \
    X(ack_before_sync, journal, "a commit that needs a sync is not synced")                                            \
    X(sync_again, journal, "a sync that failed is tried again and believed")                                           \
    X(not_poisoned, journal, "the journal goes on after a failed write")                                               \
    X(no_directory_sync, journal, "the names of the ring's files are not synced")                                      \
    X(file_not_synced, journal, "a file of the ring is used before its zeros are durable")                             \
    X(early_recycle, journal, "pages that are still needed are written again")                                         \
    X(no_fence, journal, "recovery begins no incarnation")                                                             \
    X(no_void, journal, "pages that an incarnation has cut off count again")                                           \
    X(removed_twice, store, "what was removed since it was looked at is removed again")                                \
    X(stray_is_nothing, store, "a page in another place does not tell how far the journal went")                       \
    X(damage_forgotten, journal, "what a recovery could not read comes back when it can be read")                      \
    X(found_not_synced, journal, "recovery shows what it found before that is durable")                                \
    X(torn_is_whole, journal, "a commit that was never finished is delivered")                                         \
    X(rot_is_torn, journal, "damage to the last commit is taken for the torn end of one that was never finished")      \
    X(stop_at_bad_page, journal, "replay ends at the first bad page")                                                  \
    X(no_resync, journal, "behind a bad page records are sought where the page begins")                                \
    X(silent_damage, journal, "damage is not reported")                                                                \
    X(unchecked_page, journal, "the checksum of a page is not compared")                                               \
    X(sure_of_unsynced, journal, "a page says that all before it was durable")                                         \
    X(unchecked_foot, tables, "the checksum of the foot of a table or segment is not compared")                        \
    X(anybodys_foot, tables, "a foot counts though it is that of another file")                                        \
    X(unchecked_frame, tables, "the checksum of a frame is not compared")                                              \
    X(anybodys_frame, tables, "the checksum of a frame does not say of which file it is")                              \
    X(unchecked_slot, tables, "the checksum of a slot of the manifest is not compared")                                \
    X(any_slot, tables, "what stands in a slot of the manifest may belong into the other one")                         \
    X(early_ack, store, "results leave before their batch is durable")                                                 \
    X(duplicate_at_once, store, "a duplicate acknowledgement does not wait for the record that it speaks of")          \
    X(asked_again, store, "the conditions of a publish are looked at again when it has made room")                     \
    X(early_visible, store, "readers see messages that are not durable")                                               \
    X(folder_not_synced, store, "the names of new files are not synced")                                               \
    X(bytes_not_synced, store, "new files are not synced")                                                             \
    X(unlink_first, store, "replaced tables are deleted before the manifest says so")                                  \
    X(doubtful_unlinked, store, "files go though a manifest whose write failed may name them")                         \
    X(one_slot, store, "a change of the manifest is in one slot only when what it replaces goes")                      \
    X(half_commit, store, "a change counts in part when the second slot of the manifest could not be written")         \
    X(recycle_first, store, "the journal is recycled before the manifest is durable")                                  \
    X(replay_decides, store, "replay does not do what a message record says that it evicts")                           \
    X(lost_removal, store, "a removal between seal and checkpoint leaves no row")                                      \
    X(off_by_one, store, "replay applies the last operation of the checkpoint again")                                  \
    X(half_row, store, "a checkpoint writes rows whose older value has not been looked up")                            \
    X(sealed_count, store, "a checkpoint forgets subjects that turned out to be new")                                  \
    X(late_seal, store, "a change is decided before its stream is sealed")                                             \
    X(same_epoch, store, "a purge of everything keeps the rows of subjects")                                           \
    X(late_dedupe, store, "replay forgets the ids of messages")                                                        \
    X(risen_stream, store, "a deleted stream keeps its row")                                                           \
    X(old_snapshot, store, "an answer from files is believed though a checkpoint came between")                        \
    X(stale_batch, store, "what was read ahead is believed though a checkpoint came between")                          \
    X(blind_walk, store, "a read goes on in memory though a checkpoint has taken away what is there")                  \
    X(rollup_half_done, store, "a rollup is acknowledged before it has removed anything")                              \
    X(row_at_once, store, "a read of a row does not wait until the row is durable")                                    \
    X(silent_clear, store, "nobody is told of a purge of everything")                                                  \
    X(subjects_left, store, "a lower limit per subject does not hold for what is there")                               \
    X(unchecked_record, store, "the checksum of a record in a segment is not compared")                                \
    X(shared_input, store, "a merge takes runs that another one is merging")                                           \
    X(silent_recovery, store, "damage to the journal is not told to anybody")                                          \
    X(extent_not_synced, store, "extents are not synced")                                                              \
    X(extent_unnamed, store, "the names of new files of extents are not synced")                                       \
    X(extent_unchecked, store, "the hash of an extent is not compared")                                                \
    X(silent_extent, store, "nobody is told that an extent cannot be read")                                            \
    X(extent_early_free, store, "room of extents is used again before the checkpoint's manifest")                      \
    X(damage_is_absence, store, "a message that cannot be read is passed over in silence")                             \
    X(missing_spanned, store, "compaction takes stretches around a missing segment for neighbours")                    \
    X(compacted_away, store, "a compaction leaves out what it cannot read")                                            \
    X(range_passed_over, store, "of a damaged range only the first message counts")                                    \
    X(rows_trusted, store, "a row of a subject is believed though it was computed beside what cannot be read")         \
    X(half_correction, store, "counters that are too high are corrected by half")                                      \
    X(tight_limits, store, "limits remove messages in the stead of those that went unseen")                            \
    X(jump_ages, store, "ages follow a clock that jumps ahead at once")                                                \
    X(jump_forgotten, store, "a start forgets that ages are behind")                                                   \
    X(erase_leaves, store, "erasing leaves the segment as it is")                                                      \
    X(erase_spares_ring, store, "erasing forgets the ring")                                                            \
    X(erase_spares_extents, store, "erasing forgets the extents")                                                      \
    X(erase_forgotten, store, "what is to be erased is forgotten by a crash")                                          \
    X(erase_unlinks, store, "files with erased messages are deleted, not overwritten")                                 \
    X(erase_undone, store, "replay does not remove what was erased")                                                   \
    X(scrub_one_copy, store, "the scrub does not look at second copies")                                               \
    X(scrub_wrong_copy, store, "a table whose first copy is damaged is not healed from the second")                    \
    X(scrub_silent, store, "the scrub tells nobody what it finds")                                                     \
    X(unheard_press, js, "a checkpoint that is asked for before the keeper is there is forgotten")                     \
    X(first_of_two, js, "with retention by interest the first of two acknowledgements removes a message")              \
    X(gone_at_delivery, js, "a delivery counts as the end of a message")                                               \
    X(confirmed_at_once, js, "an acknowledgement is confirmed before it is durable")                                   \
    X(late_row, js, "an acknowledgement is confirmed, and written in a later turn")                                    \
    X(acked_again, js, "replay forgets the ends of messages")                                                          \
    X(floor_back, js, "a restart forgets the floor of a consumer")                                                     \
    X(one_more, js, "a message is delivered once more than max_deliver")                                               \
    X(uncounted, js, "a delivery that max_deliver counts leaves before that is durable")                               \
    X(same_generation, js, "changes older than a consumer's snapshot are replayed onto it")                            \
    X(unsaved_rules, js, "the new configuration of a consumer is not written")                                         \
    X(unsaved_config, js, "the new configuration of a stream is not written")                                          \
    X(unpaused, js, "a pause does not survive a restart")                                                              \
    X(stale_pending, js, "a message that is removed still counts as waiting for a consumer")                           \
    X(used_in_vain, js, "requests do not keep an ephemeral consumer alive")                                            \
    X(pin_unheeded, js, "a request without a pin is served though another client is pinned")                           \
    X(one_below, js, "a request for overflow is served one message too early")                                         \
    X(first_come, js, "priorities of requests are not compared")                                                       \
    X(reset_at_once, js, "the reset of a consumer is confirmed before it is durable")                                  \
    X(start_behind, js, "a consumer begins one behind the number that it was to begin at")                             \
    X(never_due, js, "a start forgets what is to expire")                                                              \
    X(no_marker, js, "no marker is left where the last message of a subject was")                                      \
    X(stale_start, js, "the store's clock begins with a reading from before the recovery")                             \
    X(expect_behind, js, "an expected last sequence is not compared")                                                  \
    X(answered_early, js, "a stream is confirmed before its shard has heard of it")                                    \
    X(untaken, js, "subjects are not taken while their stream is being made or changed")                               \
    X(freed_early, js, "a name may be given again before the deletion of its stream is durable")                       \
    X(shard_forgotten, js, "lists leave out the streams of one shard")

#ifdef MG_PLANTED_BUGS
#include <stdbool.h>
enum mg_planted_bug {
    MG_PLANTED_NONE,
#define X(name, where, text) MG_PLANTED_##name,
    MG_PLANTED_LIST(X)
#undef X
};
bool mg_planted_on(int bug); // the test program says
#define MG_PLANTED(name) mg_planted_on(MG_PLANTED_##name)
#else
#define MG_PLANTED(name) 0
#endif

#endif
