"""The soak of jobs: thousands are started, webhooks go astray, functions are killed; the account.

`python -m tests.soak.jobs` runs the real receiver, dispatchers and reconciler on the embedded
emulators, and a simulated Gemini. The client library starts the jobs; some starts get no reply. Of
the webhooks a fifth is lost, a tenth comes after the reconciler had its say, and a tenth comes
twice. Lookups fail, and every function is killed again and again.

Time is not waited for: what the ledger says is due later is made due now, and at the end all jobs
are made old.
"""
