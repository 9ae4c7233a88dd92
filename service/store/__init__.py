"""What is kept: the database, the files, their search. The only importer of SQLAlchemy and obstore."""
