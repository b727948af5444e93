"""The quick look: has anything changed since a full look found nothing to do?

It loads none of the heavy libraries, and it only ever says "nothing to do" or "look properly". What it compares was
gathered before that full look began, so a change that came while it looked is seen the next time.
"""
