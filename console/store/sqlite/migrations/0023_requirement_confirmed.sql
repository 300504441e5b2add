-- Who confirmed that the access of a holder ends although the cap of the requirement is reached.
ALTER TABLE requirement_lack ADD COLUMN confirmed TEXT;
