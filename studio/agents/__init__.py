"""Agents: roles, prompts, reply parsing, the edit ladder and the conversations, all without side effects.

A conversation is a frozen, serialisable state that the pipeline drives one durable step at a time:

    talk = start_build(inputs)                              # studio.agents.build
    while talk.outcome is None:
        reply = await ask(talk.next_request())              # a durable model step
        talk = talk.feed(reply)
        if talk.pending:                                    # UseTool and WriteEdits, to be done in order
            results = [await perform(action) for action in talk.pending]   # a durable step each, or one for all
            talk = talk.feed_results(results)               # ToolResult and EditsResult, same order
        talk = talk.tell(remarks_so_far)                    # steering; what was told before is not told again
    talk.outcome                                            # Finish(summary) or GiveUp(reason)

`StructuredTask` (`studio.agents.structured`: `ask_requirements`, `ask_plan`, `ask_remarks`) has the same surface; it never
has anything pending and ends with `Answered(value)` or `GiveUp(reason)`.

Edits: `apply_edits(edits, files, policy)` stages every edit of a reply in memory, all or nothing;
`write_outcome(root, outcome)` puts the result into a worktree; `WorktreeFiles(root)` reads one.
"""
