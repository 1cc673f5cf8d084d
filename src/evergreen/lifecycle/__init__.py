"""Around a run: pin, cycle, finish, publish, review, rollback, push and pull."""
