"""The champion at work: models verified, loaded, followed and asked over HTTP."""
