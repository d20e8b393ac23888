"""May a class be trained on? One suite of checks over its images, and the record of what it found.

facts, likeness, strays, drift    what the checks speak about
statement, about_*, suite         what they say
evaluate                          Great Expectations carries them out
newcomers                         the same about images that are about to come in, without it
record, validate                  what came out, and where it is kept
"""
